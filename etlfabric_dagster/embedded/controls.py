"""Which protections are in force on this machine. Each is tried or read from the server now."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from typing import Any, LiteralString

import psycopg

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.home import Home

ON = "on"

_PUBLIC_CONNECT = """
SELECT datname FROM pg_database
WHERE datname IN (current_database(), current_database() || '_dagster')
  AND has_database_privilege('public', oid, 'CONNECT')
"""
_PUBLIC_FUNCTIONS = """
SELECT proname FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
  AND (proname LIKE 'pg\\_advisory\\_%' OR proname LIKE 'pg\\_try\\_advisory\\_%'
       OR proname IN ('lo_create', 'lo_creat', 'lo_from_bytea'))
  AND has_function_privilege('public', oid, 'EXECUTE')
"""


def controls(home: Home) -> dict[str, str]:
    """Name → `on`, or `off: ` and why. What could not be tried is off."""
    checks: dict[str, Callable[[], str]] = {
        "home_private": lambda: _home_private(home),
        "databases_closed_to_public": lambda: _none_of(_PUBLIC_CONNECT, "open to PUBLIC"),
        "functions_closed_to_public": lambda: _none_of(_PUBLIC_FUNCTIONS, "open to PUBLIC"),
        "platform_not_superuser": _platform_not_superuser,
    }
    return {name: _tried(check) for name, check in checks.items()}


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as exc:
        return f"off: could not be checked ({type(exc).__name__})"


def _home_private(home: Home) -> str:
    mode = stat.S_IMODE(home.install_file.stat().st_mode)
    return ON if mode & 0o077 == 0 else f"off: {home.install_file} has mode {mode:o}"


def _none_of(query: LiteralString, fault: str) -> str:
    found = sorted({str(row[0]) for row in _rows(query)})
    return ON if not found else f"off: {', '.join(found[:3])} {fault}"


def _platform_not_superuser() -> str:
    rows = _rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return "off: the platform connects as a superuser" if rows[0][0] else ON


def _rows(query: LiteralString) -> Sequence[tuple[Any, ...]]:
    url = settings.database.render_as_string(hide_password=False)
    with psycopg.connect(url, connect_timeout=2) as conn:
        return conn.execute(query).fetchall()
