"""SQL Server through pymssql (the extra `mssql`)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.alchemy_session import AlchemySession, Grammar
from etlfabric_dagster.connectors.sql_database.road import Road, open_road
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.errors import ConnectorError

# From 7.4 on a server may send its client to another address, past the address check.
TDS_VERSION = "7.3"
_BASE = re.compile(r"^(\w+)(?:\((\w+)(?:, ?(\d+))?\))?")
_TYPES = {
    "bigint": "bigint",
    "binary": "bytea",
    "bit": "boolean",
    "char": "text",
    "date": "date",
    "datetime": "timestamp without time zone",
    "datetime2": "timestamp without time zone",
    "datetimeoffset": "timestamp with time zone",
    "float": "double precision",
    "image": "bytea",
    "int": "integer",
    "integer": "integer",
    "money": "numeric(19,4)",
    "nchar": "text",
    "ntext": "text",
    "nvarchar": "text",
    "real": "real",
    "rowversion": "bytea",
    "smalldatetime": "timestamp without time zone",
    "smallint": "smallint",
    "smallmoney": "numeric(19,4)",
    "text": "text",
    "time": "time without time zone",
    "timestamp": "bytea",
    "tinyint": "smallint",
    "uniqueidentifier": "uuid",
    "varbinary": "bytea",
    "varchar": "text",
    "xml": "text",
}
_ESTIMATES = """
select o.name, sum(p.rows)
from sys.objects o join sys.partitions p on p.object_id = o.object_id and p.index_id in (0, 1)
where schema_name(o.schema_id) = '{schema}' group by o.name
"""
_PRINTED = {
    "bytea": "convert(varbinary(max), {})",
    "date": "convert(varchar(10), {}, 23)",
    "double precision": "convert(varchar(40), {}, 3)",
    "numeric(19,4)": "convert(varchar(30), {}, 2)",
    "real": "convert(varchar(40), {}, 3)",
    "text": "convert(nvarchar(max), {})",
    "time without time zone": "convert(varchar(16), cast({} as time(6)))",
    "timestamp with time zone": (
        "convert(varchar(33), cast(switchoffset({}, 0) as datetime2(6)), 126) + '+00'"
    ),
    "timestamp without time zone": "convert(varchar(33), cast({} as datetime2(6)), 126)",
}


class SqlServer(Grammar):
    """Transact-SQL, version 2016 on."""

    def destination(self, declared: str) -> tuple[str, str]:
        """See `Grammar`."""
        found = _BASE.match(declared)
        base, first, second = found.groups() if found else (declared, None, None)
        if base in ("decimal", "numeric"):
            return f"numeric({first or 18},{second or 0})", ""
        if base in ("datetime2", "time", "datetimeoffset") and first in (None, "7"):
            return _TYPES[base], "its last digit (100 ns) is rounded away."
        if base in _TYPES:
            return _TYPES[base], ""
        return "text", f"values of {base} arrive as the text SQL Server prints."

    def expression(self, column: SourceColumn, quoted: str) -> str:
        """See `Grammar`."""
        return _PRINTED.get(column.pg_type, "convert(varchar(50), {})").format(quoted)

    def moment(self, text: str) -> str:
        """See `Grammar`."""
        return f"cast('{text}' as datetime2(6))"

    def earlier(self, moment: str, seconds: float) -> str:
        """See `Grammar`."""
        whole, fraction = divmod(round(seconds * 1000), 1000)  # dateadd takes no more than 2**31
        return f"dateadd(millisecond, -{fraction}, dateadd(second, -{whole}, {moment}))"

    def limited(self, select: str, rows: int) -> str:
        """See `Grammar`."""
        return select.replace("select ", f"select top {rows} ", 1)

    def estimates(self, schema: str) -> str:
        """See `Grammar`."""
        return _ESTIMATES.format(schema=schema.replace("'", "''"))


@contextmanager
def session(target: Target) -> Iterator[AlchemySession]:
    """One connection; a snapshot where the database allows snapshot isolation.

    Raises:
        ConnectorError: in the words of `problems`.
    """
    driver = _driver()
    if target.tls == "verify-full" or target.ca:
        raise problems.tls_unsupported("SQL Server")
    with open_road(target) as road:
        engine = sa.create_engine(
            "mssql+pymssql://",
            creator=lambda: _connect(driver, road),
            poolclass=StaticPool,
            hide_parameters=True,
        )
        try:
            with engine.connect() as connection:
                _snapshot(connection)
                yield AlchemySession(
                    connection, target, SqlServer(), "" if target.tls == "prefer" else "TLS"
                )
        finally:
            engine.dispose()


def _driver() -> ModuleType:
    try:
        return importlib.import_module("pymssql")
    except ImportError as exc:
        raise problems.driver_missing("mssql", "mssql", "SQL Server") from exc


def _connect(driver: ModuleType, road: Road) -> Any:
    target = road.target
    try:
        return driver.connect(
            server=road.address,
            port=str(road.port),
            user=target.username,
            password=target.password,
            database=target.database,
            login_timeout=problems.DIAL_TIMEOUT_S,
            charset="UTF-8",
            tds_version=TDS_VERSION,
            appname="etlfabric",
            encryption="request" if target.tls == "prefer" else "require",
        )
    except driver.Error as exc:
        raise explain(str(exc), target) from exc


def explain(text: str, target: Target) -> ConnectorError:
    """The driver's text, which carries SQL Server's message numbers."""
    if "18456" in text or "Login failed" in text:
        return problems.wrong_login(target)
    if "4060" in text or "Cannot open database" in text:
        return problems.no_database(target)
    if "encrypt" in text.lower() or "tls" in text.lower():
        return problems.tls_refused(target)
    return problems.hung_up(target, "SQL Server", " ".join(text.split())[:200])


def _snapshot(connection: sa.Connection) -> None:
    allowed = "select snapshot_isolation_state from sys.databases where database_id = db_id()"
    try:
        if connection.exec_driver_sql(allowed).scalar() == 1:
            connection.exec_driver_sql("set transaction isolation level snapshot")
    except DBAPIError:  # no right to look: read committed then
        connection.rollback()
