"""The SQL that SQL Server and Oracle are asked, as their dialects spell it, and their columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, oracle

from etlfabric_dagster.connectors.sql_database.alchemy_session import AlchemySession, Grammar
from etlfabric_dagster.connectors.sql_database.mssql import SqlServer
from etlfabric_dagster.connectors.sql_database.oracle import Oracle
from etlfabric_dagster.connectors.sql_database.session import Span
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.schemas.jobs import EgressPolicy

MOMENT = "timestamp without time zone"


class Nothing:
    """An answer without rows."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def yield_per(self, _rows: int) -> Iterator[Any]:
        return iter(())

    def scalar_one(self) -> None:
        return None


class Recorder:
    """A connection that notes what it is asked and answers nothing."""

    def __init__(self, dialect: Any) -> None:
        self.dialect, self.asked = dialect, []

    def execution_options(self, **_: Any) -> Recorder:
        return self

    def exec_driver_sql(self, statement: str) -> Any:
        self.asked.append(statement)
        return Nothing()


class Asked:
    """A session of one product on a recorder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, product: str) -> None:
        monkeypatch.setattr(sa, "inspect", lambda _connection: None)
        dialects: dict[str, tuple[Any, Grammar, str]] = {
            "mssql": (mssql.dialect(), SqlServer(), "dbo"),
            "oracle": (oracle.dialect(), Oracle(), "SHOP"),
        }
        dialect, grammar, schema = dialects[product]
        self.recorder: Any = Recorder(dialect)
        target = Target(
            product, "db", 1, "shop", "shop", "pw", schema, "prefer", None, None, EgressPolicy()
        )
        self.session = AlchemySession(self.recorder, target, grammar, "")

    def rows(self, *columns: SourceColumn, span: Span | None = None, limit: int | None = 5) -> str:
        """The one statement that reading asks."""
        assert list(self.session.rows('Order "Items"', columns, span, limit)) == []
        (statement,) = self.recorder.asked
        return statement

    def column(self, kind: Any) -> str:
        """The PostgreSQL type of a column that the catalog calls `kind`."""
        found = self.session._column({"name": "x", "type": kind, "nullable": True})
        return found.pg_type


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Asked:
    return Asked(monkeypatch, request.param)


AT = SourceColumn("at", "datetime2", MOMENT, kind="time")
NAME = SourceColumn("We]ird", "nvarchar(max)", "text")
PRICE = SourceColumn("price", "money", "numeric(19,4)", kind="number")


@pytest.mark.parametrize("asked", ["mssql"], indirect=True)
def test_sql_server_is_asked_for_lossless_text_in_brackets(asked: Asked) -> None:
    assert asked.rows(NAME, PRICE) == (
        "select top 5 convert(nvarchar(max), [We]]ird]), convert(varchar(30), [price], 2)"
        ' from [dbo].[Order "Items"] where 1 = 1'
    )


@pytest.mark.parametrize("asked", ["oracle"], indirect=True)
def test_oracle_is_asked_for_lossless_text_in_quotes(asked: Asked) -> None:
    price = SourceColumn("PRICE", "number(19,4)", "numeric(19,4)", kind="number")
    assert asked.rows(price, limit=2).replace("''", "'") == (
        "select to_char(\"PRICE\", 'TM9', 'nls_numeric_characters='.,'')"
        ' from "SHOP"."Order ""Items""" where 1 = 1 fetch first 2 rows only'
    )


@pytest.mark.parametrize("asked", ["mssql"], indirect=True)
@pytest.mark.parametrize(
    ("lag_s", "start"),
    [
        (0, "cast('2026-01-31T10:00:00.500000' as datetime2(6))"),
        (
            2_600_000.25,  # 30 days: more milliseconds than dateadd takes at once
            "dateadd(millisecond, -250, dateadd(second, -2600000,"
            " cast('2026-01-31T10:00:00.500000' as datetime2(6))))",
        ),
    ],
    ids=["none", "a month"],
)
def test_sql_server_starts_at_the_cursor_less_its_lag(
    asked: Asked, lag_s: float, start: str
) -> None:
    statement = asked.rows(AT, span=Span(AT, "2026-01-31T10:00:00.5", lag_s))
    assert statement.partition(" where ")[2] == f"[at] >= {start}"


@pytest.mark.parametrize("asked", ["oracle"], indirect=True)
def test_oracle_starts_at_the_cursor_less_its_lag_in_utc(asked: Asked) -> None:
    at = SourceColumn("AT", "timestamp with time zone", "timestamp with time zone", kind="time")
    statement = asked.rows(at, span=Span(at, "2026-01-01T10:00:00+02:00", 90), limit=None)
    assert statement.partition(" where ")[2] == (
        "\"AT\" >= to_timestamp('2026-01-01T08:00:00.000000', 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6')"
        " - numtodsinterval(90, 'SECOND')"
    )


@pytest.mark.parametrize("asked", ["mssql", "oracle"], indirect=True)
def test_last_value_is_that_of_the_whole_table(asked: Asked) -> None:
    assert asked.session.last_value("t", Span(PRICE, None, 0)) is None
    (statement,) = asked.recorder.asked
    assert "max(" in statement
    assert statement.endswith(") q")


MSSQL_TYPES = [
    (mssql.NVARCHAR(50), "text"),
    (mssql.DECIMAL(38, 10), "numeric(38,10)"),
    (mssql.DATETIMEOFFSET(3), "timestamp with time zone"),
    (mssql.DATETIME2(6), MOMENT),
    (mssql.UNIQUEIDENTIFIER(), "uuid"),
    (mssql.BIT(), "boolean"),
    (mssql.ROWVERSION(), "bytea"),
    (mssql.VARBINARY("max"), "bytea"),
    (mssql.XML(), "text"),
    (mssql.TINYINT(), "smallint"),
]
ORACLE_TYPES = [
    (oracle.NUMBER(10, 2), "numeric(10,2)"),
    (oracle.NUMBER(), "numeric"),
    (oracle.VARCHAR2(20), "text"),
    (oracle.DATE(), MOMENT),
    (oracle.TIMESTAMP(timezone=True), "timestamp with time zone"),
    (oracle.RAW(16), "bytea"),
    (oracle.BINARY_DOUBLE(), "double precision"),
    (oracle.INTERVAL(day_precision=2), "interval"),
    (oracle.CLOB(), "text"),
]


@pytest.mark.parametrize("asked", ["mssql"], indirect=True)
@pytest.mark.parametrize(("kind", "pg_type"), MSSQL_TYPES, ids=[t for _, t in MSSQL_TYPES])
def test_catalog_types_of_sql_server(asked: Asked, kind: Any, pg_type: str) -> None:
    assert asked.column(kind) == pg_type


@pytest.mark.parametrize("asked", ["oracle"], indirect=True)
@pytest.mark.parametrize(("kind", "pg_type"), ORACLE_TYPES, ids=[t for _, t in ORACLE_TYPES])
def test_catalog_types_of_oracle(asked: Asked, kind: Any, pg_type: str) -> None:
    assert asked.column(kind) == pg_type


@pytest.mark.parametrize("asked", ["oracle"], indirect=True)
def test_oracles_folded_names_are_those_of_its_catalog(asked: Asked) -> None:
    session = asked.session
    assert [session._stored(name) for name in ("orders", "Mixed")] == ["ORDERS", "Mixed"]
    assert [session._plain(name) for name in ("ORDERS", "Mixed")] == ["orders", "Mixed"]
