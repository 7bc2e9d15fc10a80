"""Which protections are in force on this machine. Each is tried or read from the server now."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.home import Home, given
from etlfabric_dagster.embedded.state import StackState
from etlfabric_dagster.errors import EgressDeniedError
from etlfabric_dagster.sandbox.client import SandboxClient
from etlfabric_dagster.sandbox.server import KEPT_VARIABLES, SET_VARIABLES
from etlfabric_dagster.schemas.jobs import CheckJob, EgressPolicy, ReachJob, SourceConfig
from etlfabric_dagster.security import egress

ON = "on"
PRIVATE = (("10.0.0.1", 5432), ("192.168.0.1", 80), ("169.254.169.254", 80), ("127.0.0.1", 1))

_PUBLIC_CONNECT = """
SELECT datname FROM pg_database
WHERE datname IN (current_database(), current_database() || '_dagster')
  AND has_database_privilege('public', oid, 'CONNECT')
"""
_PUBLIC_FUNCTIONS = """
SELECT proname FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
  AND (proname LIKE 'lo\\_%' OR proname IN ('loread', 'lowrite') OR proname LIKE '%advisory%')
  AND has_function_privilege('public', oid, 'EXECUTE')
"""
_OPEN_RULES = """
SELECT 'line ' || line_number || ' (' || auth_method || ')' FROM pg_hba_file_rules
WHERE auth_method NOT IN ('scram-sha-256', 'cert', 'reject')
"""


def controls(home: Home) -> dict[str, str]:
    """Name → `on`, or `off: ` and why. What could not be tried is off."""
    checks: dict[str, Callable[[], str]] = {
        "home_private": lambda: _home_private(home),
        "platform_not_superuser": _platform_not_superuser,
        "databases_closed_to_public": lambda: _none(_rows(_PUBLIC_CONNECT), "open to PUBLIC"),
        "functions_closed_to_public": lambda: _none(_rows(_PUBLIC_FUNCTIONS), "open to PUBLIC"),
        "passwords_demanded": lambda: _passwords_demanded(home),
        "temporary_files_limited": _temporary_files_limited,
        "egress_private_networks_closed": _private_networks_closed,
        "egress_platform_closed": _platform_closed,
        "sandbox_environment_clean": lambda: _sandbox_environment_clean(home),
        "sandbox_without_network": _sandbox_without_network,
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


def _platform_not_superuser() -> str:
    rows = _rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return "off: the platform connects as a superuser" if rows[0][0] else ON


def _passwords_demanded(home: Home) -> str:
    """pg_hba.conf, which only a superuser may read."""
    if given().database_url is not None:
        return "off: pg_hba.conf of an external server cannot be read"
    return _none(_rows(_OPEN_RULES, home.platform(home.install()).dsn()), "of pg_hba.conf")


def _temporary_files_limited() -> str:
    [(limit,)] = _rows("SELECT current_setting('temp_file_limit')")
    return ON if limit != "-1" else "off: temp_file_limit is not set on the server"


def _private_networks_closed() -> str:
    """Pure: nothing is dialled."""
    opened = []
    for address, port in PRIVATE:
        try:
            egress.vet(address, port, _policy())
            opened.append(f"{address}:{port}")
        except EgressDeniedError:
            continue
    return ON if not opened else f"off: ETLFABRIC_EGRESS_ALLOW opens {', '.join(opened)}"


def _platform_closed() -> str:
    """Ask the sandbox to use the platform's own database as a source."""
    url = settings.database
    config = {
        "dialect": "postgresql",
        "host": url.host,
        "port": url.port or 5432,
        "database": url.database,
        "username": "nobody",
    }
    source = SourceConfig(
        connector="sql_database", config=config, secrets={"password": "none"}, egress=_policy()
    )
    done = SandboxClient(settings.sandbox_path).run(CheckJob(source=source))
    refused = done.payload["code"] == EgressDeniedError.code
    return ON if refused else "off: the sandbox dialled the platform's own database"


def _sandbox_environment_clean(home: Home) -> str:
    state = StackState.read(home.state)
    pid = state.processes["sandbox"].pid if state else None
    text = Path(f"/proc/{pid}/environ").read_text()
    names = {entry.partition("=")[0] for entry in text.split("\0") if entry}
    return _none(
        [(name,) for name in names - {*KEPT_VARIABLES, *SET_VARIABLES}], "in its environment"
    )


def _sandbox_without_network() -> str:
    """Let a child like dbt's try both ways to the platform's database."""
    folder = settings.database_socket_directory
    if folder is None:
        return "off: the database has no Unix socket on this machine, so dbt needs the network"
    url = settings.database
    job = ReachJob(
        host=url.host or "127.0.0.1", port=url.port or 5432, socket_directory=str(folder)
    )
    answered = SandboxClient(settings.sandbox_path).run(job).payload
    if answered["tcp"]:
        return "off: the kernel does not let this user make network namespaces"
    return ON if answered["socket"] else f"off: no server answers in {folder}"


def _policy() -> EgressPolicy:
    return EgressPolicy(allow=tuple(settings.egress_allow), deny=settings.platform_addresses)


def _none(rows: Sequence[tuple[Any, ...]], fault: str) -> str:
    found = sorted({str(row[0]) for row in rows})
    return ON if not found else f"off: {', '.join(found[:3])} {fault}"


def _rows(query: LiteralString, dsn: str | None = None) -> Sequence[tuple[Any, ...]]:
    dsn = dsn or settings.database.render_as_string(hide_password=False)
    with psycopg.connect(dsn, connect_timeout=2) as conn:
        return conn.execute(query).fetchall()
