"""MySQL and MariaDB: connect through PyMySQL over a socket we dialled ourselves."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pymysql
from pymysql.constants import CR, ER
from pymysql.converters import encoders

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.certificate import issuer
from etlfabric_dagster.connectors.sql_database.mysql_session import MySqlSession
from etlfabric_dagster.connectors.sql_database.road import Road, open_road
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import ConnectorError

_SETUP = (
    "set session sql_mode = '', time_zone = '+00:00', net_write_timeout = 3600",
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)


@contextmanager
def session(target: Target) -> Iterator[MySqlSession]:
    """A read-only snapshot (of the tables whose engine has snapshots).

    Raises:
        ConnectorError: in the words of `problems`.
    """
    with open_road(target) as road:
        connection = _connect(road)
        try:
            with connection.cursor() as cursor:
                for statement in _SETUP:
                    cursor.execute(statement)
            yield MySqlSession(connection, target)
        finally:
            connection.close()


def _connect(road: Road) -> Any:
    """Values come as the server's own text: no decoders, no unicode."""
    target = road.target
    tls: dict[str, Any] = {} if target.tls == "prefer" else {"ssl": road.tls_context()}
    sock = road.dial()
    connection: Any = pymysql.connect(
        host=target.host,
        port=target.port,
        user=target.username,
        password=target.password.encode(),
        database=target.database,
        charset="utf8mb4",
        use_unicode=False,
        conv=cast(Any, encoders),
        local_infile=False,
        read_timeout=problems.DIAL_TIMEOUT_S,
        defer_connect=True,
        **tls,
    )
    try:
        connection.connect(sock)
    except pymysql.Error as exc:
        raise _explain(exc, road) from exc
    except ssl.SSLError as exc:
        raise _explain_tls(exc, road) from exc
    # A server of another kind waits for us to speak first, hence the timeout above; a query may
    # think for as long as it likes. (No public way to change it: PyMySQL 1.2.)
    connection._read_timeout = None
    return connection


def _explain(exc: pymysql.Error, road: Road) -> ConnectorError:
    target = road.target
    code = exc.args[0] if exc.args else 0
    cause = getattr(exc, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        return _explain_tls(cause, road)
    if code in (ER.ACCESS_DENIED_ERROR, 1698):  # 1698: the account logs in another way
        return problems.wrong_login(target)
    if code == ER.HOST_NOT_PRIVILEGED:
        return problems.wrong_login(target, "Its accounts do not admit this install's address.")
    if code in (ER.BAD_DB_ERROR, ER.DBACCESS_DENIED_ERROR):
        return problems.no_database(target)
    if code == CR.CR_SSL_CONNECTION_ERROR:
        return problems.tls_refused(target)
    detail = exc.args[1] if len(exc.args) > 1 else type(exc).__name__
    return problems.hung_up(target, "MySQL", str(detail))


def _explain_tls(exc: ssl.SSLError, road: Road) -> ConnectorError:
    target = road.target
    if isinstance(exc, ssl.SSLCertVerificationError):
        if "match" in exc.verify_message.lower():
            return problems.tls_other_name(target)
        return problems.tls_untrusted(target, issuer(road))
    return problems.tls_refused(target)
