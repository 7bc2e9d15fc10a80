"""PostgreSQL: connect through libpq with a closed list of options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.certificate import issuer
from etlfabric_dagster.connectors.sql_database.postgres_session import PostgresSession
from etlfabric_dagster.connectors.sql_database.road import Road, open_road
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import ConnectorError

# Text forms that lose nothing, whatever the server's or the user's defaults. An empty search_path
# makes format_type qualify every name that is not PostgreSQL's own.
_SETTINGS = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lock_timeout": "60s",  # a table someone alters is told, not waited for all night
    "search_path": "",
    "statement_timeout": "0",
    "xmloption": "content",
}
_SET_ALL = sql.SQL("select {}").format(
    sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(_SETTINGS))
)


@contextmanager
def session(target: Target) -> Iterator[PostgresSession]:
    """A read-only snapshot of the whole database.

    Raises:
        ConnectorError: in the words of `problems`.
    """
    with open_road(target) as road:
        connection = _connect(road)
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute(_SET_ALL, [text for pair in _SETTINGS.items() for text in pair])
            yield PostgresSession(connection, target)
        finally:
            connection.close()


def _connect(road: Road) -> psycopg.Connection:
    target = road.target
    try:
        return psycopg.connect(
            host=target.host,
            hostaddr=road.address,
            port=road.port,
            dbname=target.database,
            user=target.username,
            password=target.password,
            sslmode=_sslmode(road),
            sslrootcert=road.ca_file or "",
            sslcertmode="disable",
            gssencmode="disable",
            passfile="/dev/null",
            options="",
            connect_timeout=problems.DIAL_TIMEOUT_S,
            application_name="etlfabric",
            client_encoding="utf8",
            prepare_threshold=None,
        )
    except psycopg.OperationalError as exc:
        raise _explain(exc, road) from exc


def _sslmode(road: Road) -> str:
    """`require` with a CA verifies the chain, as libpq would not for an empty file name."""
    mode = road.target.tls
    return "verify-ca" if mode == "require" and road.ca_file else mode


def _explain(exc: psycopg.OperationalError, road: Road) -> ConnectorError:
    """libpq gives a connection's failure as text only."""
    text, target = str(exc), road.target
    if "does not support SSL" in text:
        return problems.tls_refused(target)
    if "does not match host name" in text:
        return problems.tls_other_name(target)
    if "certificate" in text and ("verify failed" in text or "SSL error" in text):
        return problems.tls_untrusted(target, issuer(road))
    if "pg_hba.conf" in text:
        return problems.wrong_login(target, "Its pg_hba.conf has no entry for this install.")
    if "authentication failed" in text or "role " in text or "not permitted to log in" in text:
        return problems.wrong_login(target)
    if "database " in text and ("does not exist" in text or "permission denied" in text):
        return problems.no_database(target)
    if "Connection refused" in text:
        return problems.unreachable(target, answered=True)
    if "timeout" in text or "timed out" in text or "No route" in text or "unreachable" in text:
        return problems.unreachable(target, answered=False)
    if "too many" in text or "remaining connection slots" in text:
        return ConnectorError(
            f"{target.host} has no free connection for “{target.username}”.",
            "Raise its connection limit, or try again later.",
            code="too_many_connections",
        )
    return problems.hung_up(target, "PostgreSQL", text.split("FATAL:")[-1].strip())
