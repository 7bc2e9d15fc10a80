"""What a superuser does once: the platform's role and its two databases. Idempotent."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo


def bootstrap(superuser_dsn: str, role: str, password: str, database: str) -> None:
    """Create the platform role (no superuser) and `database` and `<database>_dagster`.

    The role may create roles and end backends (to fence a lost attempt). Nobody else may connect.
    """
    with psycopg.connect(superuser_dsn, autocommit=True) as conn:
        _ensure_role(conn, role, password)
        for name in (database, f"{database}_dagster"):
            _ensure_database(conn, name, role)
    with psycopg.connect(make_conninfo(superuser_dsn, dbname=database)) as conn:
        _close_loopholes(conn, role)


def _ensure_role(conn: psycopg.Connection, role: str, password: str) -> None:
    known = conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    name = sql.Identifier(role)
    conn.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER CREATEROLE PASSWORD {}").format(
            verb, name, sql.Literal(password)
        )
    )
    # compiling a query takes longer than any of ours takes to run
    conn.execute(sql.SQL("ALTER ROLE {} SET jit = off").format(name))
    conn.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(name))
    # SET on the watched statistics of other roles: the watchdog reads who runs what.
    conn.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(name))


def _ensure_database(conn: psycopg.Connection, name: str, owner: str) -> None:
    database = sql.Identifier(name)
    known = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    if not known:
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(owner)))
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _close_loopholes(conn: psycopg.Connection, role: str) -> None:
    """Take from PUBLIC what would let one tenant reach another: large objects, advisory locks.

    Only a superuser may; on a server where nobody did, `status` lists the control as off.
    """
    functions = conn.execute(
        r"SELECT oid::regprocedure::text FROM pg_proc"
        r" WHERE pronamespace = 'pg_catalog'::regnamespace"
        r" AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite')"
        r" OR proname LIKE '%advisory%')"
    ).fetchall()
    for (signature,) in functions:
        for verb, whom in (("REVOKE", "FROM PUBLIC"), ("GRANT", f'TO "{role}"')):
            conn.execute(f"{verb} EXECUTE ON FUNCTION pg_catalog.{signature} {whom}".encode())
