"""SQL Server and Oracle: what can be seen without them. The session they share reads PostgreSQL."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from etlfabric_dagster.connectors.sql_database import CONNECTOR, dialects
from etlfabric_dagster.connectors.sql_database.alchemy_session import AlchemySession, Grammar
from etlfabric_dagster.connectors.sql_database.mssql import SqlServer
from etlfabric_dagster.connectors.sql_database.mssql import explain as explain_mssql
from etlfabric_dagster.connectors.sql_database.oracle import Oracle
from etlfabric_dagster.connectors.sql_database.oracle import explain as explain_oracle
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.test_connectors.conftest import Loader, Source

BY_UPDATE: dict[str, Any] = {
    "mode": LoadMode.INCREMENTAL,
    "cursor": "updated_at",
    "primary_key": ("id",),
}


class Ansi(Grammar):
    """The words that PostgreSQL shares with the standard."""

    def destination(self, declared: str) -> tuple[str, str]:
        return declared, ""

    def expression(self, column: SourceColumn, quoted: str) -> str:
        return quoted if column.pg_type == "bytea" else f"{quoted}::text"

    def moment(self, text: str) -> str:
        return f"timestamp '{text}'"

    def earlier(self, moment: str, seconds: float) -> str:
        return f"{moment} - interval '{seconds} s'"

    def limited(self, select: str, rows: int) -> str:
        return f"{select} limit {rows}"

    def estimates(self, schema: str) -> str:
        return "select relname, 7 from pg_class where relkind = 'r'"


@contextmanager
def session(target: Target) -> Iterator[AlchemySession]:
    url = sa.URL.create(
        "postgresql+psycopg",
        target.username,
        target.password,
        target.host,
        target.port,
        target.database,
    )
    engine = sa.create_engine(url)
    with contextlib.closing(SimpleNamespace(close=engine.dispose)), engine.connect() as connection:
        yield AlchemySession(connection, target, Ansi(), "")


@pytest.fixture
def generic(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The source, read through SQLAlchemy."""
    modules = SimpleNamespace(import_module=lambda _name: SimpleNamespace(session=session))
    monkeypatch.setattr(dialects, "importlib", modules)
    source.run(
        'create table "Or ders" (id bigint primary key, "we""ird" text, b bytea,'
        " updated_at timestamp not null)",
        """insert into "Or ders" values (1, E'a"\\n\\\\N', '\\x00ff', '2026-01-01 10:00:00.000001'),
           (2, '', null, '2026-01-01 10:00:00.000002')""",
        'create index on "Or ders" (updated_at)',
    )
    return source


def test_rows_cursors_and_discovery_work_through_sqlalchemy(generic: Source, loader: Loader):
    assert loader.load(generic.config, "Or ders", **BY_UPDATE) == 2
    assert generic.rows("select id, we_ird, b from raw.t order by id") == [
        (1, 'a"\n\\N', b"\x00\xff"),
        (2, "", None),
    ]
    stream = StreamPlan(name="Or ders", table="x", **BY_UPDATE)
    assert CONNECTOR.probe(generic.config, [stream], loader.context.state) == set()
    assert loader.load(generic.config, "Or ders", **BY_UPDATE) == 1
    assert loader.load(generic.config, "Or ders", **BY_UPDATE, lag_s=5) == 2
    (found,) = CONNECTOR.discover(generic.config)
    assert (found.name, found.primary_key, found.row_estimate) == ("Or ders", ("id",), 7)
    assert (found.cursor_candidates, found.update_cursor) == (("updated_at", "id"), "updated_at")
    assert CONNECTOR.check(generic.config).ok


def test_refusals_of_the_shared_session_name_the_stream(generic: Source, loader: Loader):
    with pytest.raises(ConnectorError, match="gone is no longer in"):
        loader.load(generic.config, "gone")
    with pytest.raises(ConnectorError, match="“soon” is not of its type"):
        loader.load(generic.config, "Or ders", **BY_UPDATE, initial_value="soon")
    generic.run("alter table \"Or ders\" alter updated_at drop not null",
                "insert into \"Or ders\" values (3, '', null, null)")  # fmt: skip
    with pytest.raises(ConnectorError, match="1 row of Or ders has no updated_at"):
        loader.load(generic.config, "Or ders", **BY_UPDATE)


@pytest.mark.parametrize(
    ("grammar", "declared", "pg_type"),
    [
        (SqlServer(), "nvarchar(max)", "text"),
        (SqlServer(), "nvarchar(50) collate latin1_general_ci_as", "text"),
        (SqlServer(), "decimal(38, 10)", "numeric(38,10)"),
        (SqlServer(), "tinyint", "smallint"),
        (SqlServer(), "datetime2(6)", "timestamp without time zone"),
        (SqlServer(), "datetimeoffset(3)", "timestamp with time zone"),
        (SqlServer(), "timestamp", "bytea"),
        (SqlServer(), "uniqueidentifier", "uuid"),
        (SqlServer(), "geography", "text"),
        (Oracle(), "number", "numeric"),
        (Oracle(), "number(10, 2)", "numeric(10,2)"),
        (Oracle(), "number(5, -2)", "numeric(5,-2)"),
        (Oracle(), "integer", "numeric"),
        (Oracle(), "date", "timestamp without time zone"),
        (Oracle(), "timestamp(6) with local time zone", "timestamp with time zone"),
        (Oracle(), "varchar2(20 char)", "text"),
        (Oracle(), "binary_double", "double precision"),
        (Oracle(), "raw(16)", "bytea"),
        (Oracle(), "interval day to second", "interval"),
    ],
)
def test_types_of_sql_server_and_oracle(grammar: Grammar, declared: str, pg_type: str):
    assert grammar.destination(declared)[0] == pg_type


@pytest.mark.parametrize(
    ("grammar", "declared"),
    [(SqlServer(), "datetime2"), (SqlServer(), "geography"), (Oracle(), "timestamp(9)")],
)
def test_what_changes_on_the_way_is_said(grammar: Grammar, declared: str):
    assert grammar.destination(declared)[1]


@pytest.mark.parametrize(("dialect", "driver"), [("mssql", "pymssql"), ("oracle", "oracledb")])
def test_missing_driver_is_named_with_its_extra(source: Source, dialect: str, driver: str):
    if importlib.util.find_spec(driver):
        pytest.skip(f"{driver} is installed here")
    result = CONNECTOR.check(source.with_config(dialect=dialect))
    assert not result.ok
    assert result.steps[-1].name == "driver"
    assert result.remedy == (
        f"Ask an operator to install it: uv pip install 'etlfabric[{dialect}]'."
    )


@pytest.mark.parametrize(
    ("explain", "text", "code"),
    [
        (explain_mssql, "(18456, b\"Login failed for user 'x'.\")", "login_refused"),
        (explain_mssql, "(4060, b'Cannot open database')", "database_unknown"),
        (explain_mssql, "20002 Adaptive Server connection failed", "connect_failed"),
        (explain_oracle, "ORA-01017: invalid username/password", "login_refused"),
        (explain_oracle, "DPY-6001: Service is not registered", "database_unknown"),
        (explain_oracle, "certificate verify failed", "tls_untrusted"),
        (explain_oracle, "DPY-4011: the database closed the connection", "connect_failed"),
    ],
)
def test_drivers_texts_become_causes(source: Source, explain: Any, text: str, code: str):
    assert explain(text, Target.parse(source.config)).code == code
