"""A throw-away install for benchmarks: own home, PostgreSQL and Valkey, nothing of the user's."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etlfabric_dagster import queue
from etlfabric_dagster.config import INSTALL_FILE, reload_settings
from etlfabric_dagster.embedded.bootstrap import bootstrap
from etlfabric_dagster.security.crypto import generate_key
from etlfabric_dagster.services import migrations
from etlfabric_dagster.testing import postgres_cluster, valkey_server

PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as the benchmark


@contextmanager
def throw_away_install() -> Iterator[Path]:
    """Settings point at it while the context is open. Durability is off: figures are of work."""
    with tempfile.TemporaryDirectory(prefix="etlfabric_bench_") as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "valkey").mkdir()
        os.environ["ETLFABRIC_HOME"] = name
        with postgres_cluster(home / "pg") as cluster, valkey_server(home / "valkey") as broker:
            bootstrap(cluster.dsn(), "etlfabric", PASSWORD, "etlfabric")
            server = f"127.0.0.1:{cluster.port}"
            facts = {
                "database_url": f"postgresql://etlfabric:{PASSWORD}@{server}/etlfabric",
                "redis_url": broker.url,
                "fernet_keys": generate_key(),
                "jwt_keys": generate_key(),
                "egress_allow": "127.0.0.0/8",
            }
            (home / INSTALL_FILE).write_text(json.dumps(facts))
            queue.reset()
            reload_settings()
            migrations.upgrade_all()
            yield home
