"""`etlfabric worker | scheduler | webserver | daemon | api`: one process of the list, in front.

The supervisor, containers and people on other hosts start the same commands. A host needs the
shared servers' addresses, the keys, and a home of its own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import psycopg

from etlfabric_dagster import collector
from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import external
from etlfabric_dagster.embedded.migrate import require_fitting_keys
from etlfabric_dagster.errors import StackError
from etlfabric_dagster.services import migrations

CLI = "etlfabric_dagster.cli"
MODULES = {
    "worker": "etlfabric_dagster.embedded.worker",
    "scheduler": "etlfabric_dagster.tasks.scheduler",
    "webserver": "etlfabric_dagster.orchestration.webserver",
    "daemon": "etlfabric_dagster.orchestration.daemon",
    "api": "etlfabric_dagster.api.server",
}
"""What each command imports: the supervisor does it once, before it forks them."""


def command(name: str, *options: str) -> tuple[str, ...]:
    """`etlfabric NAME …` under this interpreter."""
    return (sys.executable, "-m", CLI, name, *options)


def run(name: str) -> None:
    """Serve until SIGTERM. Blocking. Raises what `require_ready` does."""
    load(name).main()


def load(name: str) -> ModuleType:
    """What the command runs, on a host that can. Raises what `require_ready` does."""
    require_ready()
    with collector.paused():
        return import_module(MODULES[name])


def require_ready() -> None:
    """Make the home and look whether this host can work with the shared servers.

    Raises: StackError for a server that does not answer or was never migrated, MigrationError for
        a database newer than the code, CryptoError for keys that are not the install's.
    """
    _make_home()
    external.require_redis(settings.redis)
    try:
        url = settings.database.render_as_string(hide_password=False)
        with psycopg.connect(url, connect_timeout=external.TIMEOUT_S) as conn:
            _require_migrated(conn)
    except psycopg.OperationalError as exc:
        raise StackError(
            f"The platform database does not answer: {str(exc).strip()}",
            "Start it, or correct ETLFABRIC_DATABASE_URL.",
            code="database_unreachable",
        ) from exc
    if not settings.fernet_keys:
        raise StackError(
            "This host has no encryption keys.",
            "Set ETLFABRIC_FERNET_KEYS to those of the install (install.json of its first host).",
            code="keys_missing",
        )
    require_fitting_keys()


def _make_home() -> None:
    try:
        settings.home_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (settings.home_dir / "run").mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StackError(
            f"The home {settings.home_dir} cannot be written: {exc.strerror}.",
            "Give this user access to it, or point ETLFABRIC_HOME to another folder.",
            code="home_not_writable",
        ) from exc


def _require_migrated(conn: psycopg.Connection) -> None:
    try:
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None or row[0] != migrations.head("public"):
        raise StackError(
            f"The database is at revision {row[0] if row else 'none'}; this code needs"
            f" {migrations.head('public')}.",
            "Run `etlfabric db upgrade`; when the database is newer, update this host.",
            code="database_revision",
        )
