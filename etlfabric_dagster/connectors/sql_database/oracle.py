"""Oracle Database through python-oracledb in its thin mode (the extra `oracle`).

An empty string is NULL in Oracle; it arrives as NULL.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.alchemy_session import AlchemySession, Grammar
from etlfabric_dagster.connectors.sql_database.road import Road, open_road
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.errors import ConnectorError

_NUMBER = re.compile(r"^number\((\d+)(?:, ?(-?\d+))?\)")
_FRACTION = re.compile(r"timestamp\((\d)\)")
_TEXT = ("varchar", "nvarchar", "char", "nchar", "clob", "nclob", "long", "xmltype", "rowid")
_BINARY = ("raw", "blob", "long raw", "bfile")
_TIME = 'YYYY-MM-DD"T"HH24:MI:SS'
_ESTIMATES = "select table_name, num_rows from all_tables where owner = '{schema}'"
_PRINTED = {
    "numeric": "to_char({}, 'TM9', 'nls_numeric_characters=''.,''')",
    "timestamp with time zone": f"to_char(sys_extract_utc({{}}), '{_TIME}.FF6') || '+00'",
    "timestamp without time zone": f"to_char(cast({{}} as timestamp(6)), '{_TIME}.FF6')",
    "interval": "to_char({})",
}


class Oracle(Grammar):
    """Oracle SQL, version 12 on."""

    def destination(self, declared: str) -> tuple[str, str]:
        """See `Grammar`."""
        if found := _NUMBER.match(declared):
            return f"numeric({found[1]},{found[2] or 0})", ""
        if declared.startswith(("number", "float", "integer")):
            return "numeric", ""
        if declared.startswith("binary_"):
            return ("real" if declared == "binary_float" else "double precision"), ""
        if declared.startswith("timestamp"):
            zone = "with" if "zone" in declared else "without"
            digits = _FRACTION.match(declared)
            fine = digits is not None and int(digits[1]) > 6
            return f"timestamp {zone} time zone", "digits past 1 µs are cut." if fine else ""
        if declared == "date":
            return "timestamp without time zone", ""
        if declared.startswith("interval"):
            return "interval", ""
        if declared.startswith(_BINARY):
            return "bytea", ""
        if declared.startswith(_TEXT):
            return "text", ""
        return "text", f"values of {declared} arrive as the text Oracle prints."

    def expression(self, column: SourceColumn, quoted: str) -> str:
        """See `Grammar`."""
        base = column.pg_type.split("(")[0]
        return _PRINTED.get(base, "{}").format(quoted)

    def moment(self, text: str) -> str:
        """See `Grammar`."""
        return f"to_timestamp('{text}', '{_TIME}.FF6')"

    def earlier(self, moment: str, seconds: float) -> str:
        """See `Grammar`."""
        return f"{moment} - numtodsinterval({seconds!r}, 'SECOND')"

    def limited(self, select: str, rows: int) -> str:
        """See `Grammar`."""
        return f"{select} fetch first {rows} rows only"

    def estimates(self, schema: str) -> str:
        """See `Grammar`."""
        return _ESTIMATES.format(schema=schema.replace("'", "''"))


@contextmanager
def session(target: Target) -> Iterator[AlchemySession]:
    """One connection in a read-only transaction, which is a snapshot.

    Raises:
        ConnectorError: in the words of `problems`.
    """
    driver = _driver()
    if target.tls == "verify-full":  # it would compare the certificate with the vetted address
        raise problems.tls_unsupported("Oracle")
    with open_road(target) as road:
        engine = sa.create_engine(
            "oracle+oracledb://",
            creator=lambda: _connect(driver, road),
            poolclass=StaticPool,
            hide_parameters=True,
        )
        try:
            with engine.connect() as connection:
                connection.commit()  # the dialect asked its questions; a transaction begins here
                connection.exec_driver_sql("set transaction read only")
                yield AlchemySession(
                    connection, target, Oracle(), "" if target.tls == "prefer" else "TLS"
                )
        finally:
            engine.dispose()


def _driver() -> ModuleType:
    try:
        driver = importlib.import_module("oracledb")
    except ImportError as exc:
        raise problems.driver_missing("oracle", "oracle", "Oracle") from exc
    driver.defaults.fetch_lobs = False
    driver.defaults.fetch_decimals = True
    return driver


def _connect(driver: ModuleType, road: Road) -> Any:
    target = road.target
    secure = target.tls != "prefer"
    try:
        connection = driver.connect(
            user=target.username,
            password=target.password,
            host=road.address,
            port=road.port,
            service_name=target.database,
            protocol="tcps" if secure else "tcp",
            ssl_context=road.tls_context() if secure else None,
            ssl_server_dn_match=False,
            tcp_connect_timeout=problems.DIAL_TIMEOUT_S,
        )
    except driver.Error as exc:
        raise explain(str(exc), target) from exc
    with connection.cursor() as cursor:
        cursor.execute("alter session set time_zone = 'UTC'")
    return connection


def explain(text: str, target: Target) -> ConnectorError:
    """The driver's text, which carries Oracle's message numbers."""
    if "ORA-01017" in text or "ORA-28000" in text or "ORA-01045" in text:
        return problems.wrong_login(target)
    if "ORA-12514" in text or "ORA-12505" in text or "DPY-6001" in text or "DPY-6003" in text:
        return problems.no_database(target)
    if "certificate verify failed" in text:
        return problems.tls_untrusted(target)
    if "SSL" in text or "ORA-28860" in text:
        return problems.tls_refused(target)
    return problems.hung_up(target, "Oracle", " ".join(text.split())[:200])
