"""The step between the servers and the processes: databases, tables, and whether the keys fit.

`python -m etlfabric_dagster.embedded.migrate`; safe to repeat. A refusal is the last line it
prints, as JSON, and status 1.
"""

from __future__ import annotations

import json
import sys

import psycopg

from etlfabric_dagster.config import reload_settings, settings
from etlfabric_dagster.embedded import external
from etlfabric_dagster.embedded.bootstrap import bootstrap
from etlfabric_dagster.embedded.home import Home, given
from etlfabric_dagster.errors import CryptoError, FabricError
from etlfabric_dagster.services.migrations import upgrade_all
from etlfabric_dagster.services.vault import vault


def run() -> None:
    """Blocking. Idempotent.

    Raises: StackError for a server that does not fit, MigrationError for a database newer than the
        code, CryptoError when the configured keys do not open what the database holds.
    """
    outside = given()
    if outside.database_url is not None and not settings.fernet_keys:
        Home(settings.home_dir).prepare(demo=False)  # a container: keys are made once, here
        reload_settings()
    if outside.redis_url is not None:
        external.require_redis(settings.redis)
    if outside.database_url is not None:
        if settings.superuser_url is not None:
            _bootstrap(settings.superuser_url.get_secret_value())
        external.require_database(settings.database)
    else:
        _bootstrap_embedded()
    upgrade_all()
    require_fitting_keys()


def _bootstrap_embedded() -> None:
    home = Home(settings.home_dir)
    install = home.install()
    _bootstrap(home.platform(install).dsn())


def _bootstrap(superuser_dsn: str) -> None:
    url = settings.database
    bootstrap(superuser_dsn, url.username or "", url.password or "", url.database or "")


def require_fitting_keys() -> None:
    """Every org's row seals secrets of its own: any of them tells a wrong key."""
    url = settings.database.render_as_string(hide_password=False)
    with psycopg.connect(url) as conn:
        row = conn.execute("SELECT id, sealed FROM orgs ORDER BY created_at LIMIT 1").fetchone()
    if row is None:
        return
    try:
        vault().open(row[0], row[0], row[1])
    except CryptoError as exc:
        raise CryptoError(
            "The encryption keys of this install do not open what its database holds.",
            "Set ETLFABRIC_FERNET_KEYS to the keys it was used with, newest first.",
            code="crypto_key",
        ) from exc


def main() -> int:
    """Run the step for the supervisor, or for a container."""
    try:
        run()
    except FabricError as exc:
        sys.stdout.write(json.dumps({"error": exc.as_dict()}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
