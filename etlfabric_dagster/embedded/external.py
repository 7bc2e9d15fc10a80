"""Servers that the operator runs: do they fit, and what is missing?"""

from __future__ import annotations

import psycopg
import redis
from psycopg import sql
from sqlalchemy import URL

from etlfabric_dagster.errors import StackError

OLDEST, NEWEST = 15, 18
TIMEOUT_S = 5

_RIGHTS = """
SELECT rolcreaterole OR rolsuper,
       rolcreatedb OR rolsuper,
       rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE')
FROM pg_roles WHERE rolname = current_user
"""


def require_redis(url: str) -> None:
    """Raises StackError when it does not answer."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        ) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as exc:
        raise StackError(
            f"Redis does not answer at the address in ETLFABRIC_REDIS_URL: {exc}",
            "Start it, correct ETLFABRIC_REDIS_URL, or unset it to use the embedded Valkey.",
            code="redis_unreachable",
        ) from exc


def require_database(url: URL) -> None:
    """Check version and rights, create `<name>_dagster` when it is missing. Idempotent.

    Raises: StackError with the statement to run as superuser.
    """
    try:
        with psycopg.connect(
            url.render_as_string(hide_password=False), autocommit=True, connect_timeout=TIMEOUT_S
        ) as conn:
            _require_version(conn)
            may_create_databases = _require_rights(conn, url)
            _ensure_dagster_database(conn, url, may_create_databases)
    except psycopg.OperationalError as exc:
        raise StackError(
            f"PostgreSQL at {url.host}:{url.port or 5432} refused the platform: {str(exc).strip()}",
            "Correct ETLFABRIC_DATABASE_URL, or unset it to use the embedded PostgreSQL.",
            code="database_unreachable",
        ) from exc


def _require_version(conn: psycopg.Connection) -> None:
    major = conn.info.server_version // 10000
    if not OLDEST <= major <= NEWEST:
        raise StackError(
            f"The server is PostgreSQL {major}; {OLDEST} to {NEWEST} are supported.",
            "Point ETLFABRIC_DATABASE_URL to a supported server.",
            code="database_version",
        )


def _require_rights(conn: psycopg.Connection, url: URL) -> bool:
    create_role, create_database, signal = conn.execute(_RIGHTS).fetchone() or (False,) * 3
    role = conn.info.user
    missing = []
    if not create_role:
        missing.append(f'ALTER ROLE "{role}" CREATEROLE')
    if not signal:
        missing.append(f'GRANT pg_signal_backend TO "{role}"')
    if missing:
        raise StackError(
            f"The role {role} may not manage tenants' logins on {url.host}.",
            f"As superuser: {'; '.join(missing)};",
            code="database_rights",
        )
    return create_database


def _ensure_dagster_database(conn: psycopg.Connection, url: URL, may_create: bool) -> None:
    name = f"{url.database}_dagster"
    if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    if not may_create:
        raise StackError(
            f"The database {name}, which Dagster keeps its records in, does not exist.",
            f'As superuser: CREATE DATABASE "{name}" OWNER "{conn.info.user}";',
            code="database_missing",
        )
    database = sql.Identifier(name)
    conn.execute(sql.SQL("CREATE DATABASE {}").format(database))
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
