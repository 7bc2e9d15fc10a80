"""A throw-away stack for benchmarks: what `etlfabric up` starts, in a home of its own on free
ports, durable as shipped, and a PostgreSQL to load from. All of it is removed at the end.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.tenants import Source
from etlfabric_dagster import queue
from etlfabric_dagster.config import reload_settings
from etlfabric_dagster.embedded import ports, stack
from etlfabric_dagster.embedded.state import StackState
from etlfabric_dagster.testing import postgres_cluster

err = Console(stderr=True)
"""Where progress goes: the last line of standard output is the report."""

PORTS = (*ports.EMBEDDED, "dagster_port", "ui_port", "api_port")


@contextmanager
def throw_away_stack(**given: object) -> Iterator[Source]:
    """Bring it up; settings point at it while the context is open.

    Args:
        given: settings by name, for example `workers=2`.
    """
    with tempfile.TemporaryDirectory(prefix="etlfabric_bench_") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        for known in [known for known in os.environ if known.startswith("ETLFABRIC_")]:
            del os.environ[known]
        with postgres_cluster(folder / "source") as cluster:
            chosen = ports.choose(random.randrange(20_000, 30_000), dict.fromkeys(PORTS))
            allowed = {"home": folder / "home", "egress_allow": f"127.0.0.1:{cluster.port}"}
            for key, value in {**chosen, **allowed, **given}.items():
                os.environ[f"ETLFABRIC_{key.upper()}"] = str(value)
            queue.reset()
            reload_settings()
            try:
                err.print("starting the stack")
                stack.up(_show, demo=False)
                queue.reset()
                yield Source(cluster.dsn())
            finally:
                err.print("stopping the stack")
                stack.down()


def _show(_: StackState) -> None:
    """States follow each other too fast to be read."""
