"""Real worker processes on the test's servers, and a source database to load from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster import queue
from etlfabric_dagster.config import Settings
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.tasks.worker import CHILD_MAX_RUNS
from etlfabric_dagster.testing import SandboxServer
from tests.processes import family, signal_all

PATIENCE_S = 300  # imports take long on a busy machine

SOURCE = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount numeric(12,2),
  updated_at timestamptz NOT NULL);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 20) n;
INSERT INTO orders SELECT n, n % 20 + 1, n * 1.25, timestamptz '2026-01-01' + n * interval '1 min'
  FROM generate_series(1, 500) n;
"""


@contextmanager
def process(log: Path, *command: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours; ends with the test, at once if it has to."""
    environment = {**os.environ, "ETLFABRIC_HOME": str(home), "ETLFABRIC_LEASE_S": "2"}
    with log.open("ab") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=out, stderr=out, cwd=home
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(10)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def worker_command(name: str, queue_name: str, tasks_per_child: int) -> Sequence[str]:
    """As the supervisor starts it, with one slot, whose child is replaced after so many tasks."""
    return (
        *("celery", "-A", "etlfabric_dagster.tasks", "worker", "-n", f"{name}@test"),
        *("-Q", queue_name, "--concurrency", "1", "-l", "info"),
        *("--max-tasks-per-child", str(tasks_per_child)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )


@retry(stop=stop_after_delay(PATIENCE_S), wait=wait_fixed(0.2), reraise=True)
def wait_for_worker(name: str) -> None:
    """Until the worker answers."""
    assert queue.celery_app().control.ping([f"{name}@test"], timeout=0.5, limit=1), "no answer"


@dataclass(frozen=True)
class Workers:
    """Processes by name, and what all of them say."""

    log: Path
    pids: dict[str, int]


@pytest.fixture(scope="module")
def processes(
    migrated: Settings, sandbox: SandboxServer, request: pytest.FixtureRequest
) -> Iterator[Workers]:
    """A worker for runs, one for people, and the clock.

    A module that watches children being replaced says how soon, as TASKS_PER_CHILD.
    """
    log = migrated.home_dir / "workers.log"
    share = getattr(request.module, "TASKS_PER_CHILD", CHILD_MAX_RUNS)
    commands = {
        "runs": worker_command("runs", queue.RUNS, share),
        "people": worker_command("people", queue.INTERACTIVE, share),
        "clock": ("etlfabric_dagster.tasks.scheduler",),
    }
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(process(log, *command, home=migrated.home_dir))
            for name, command in commands.items()
        }
        wait_for_worker("runs")
        wait_for_worker("people")
        yield Workers(log, {name: one.pid for name, one in started.items()})
        for one in started.values():  # told to stop one after the other they take seconds each
            if one.poll() is None:
                signal_all(family(one.pid), signal.SIGKILL)


@pytest.fixture(scope="module")
def workers(processes: Workers) -> Path:
    """The workers' log; they work."""
    return processes.log


@pytest.fixture(scope="module")
def source(source_cluster: PostgresCluster) -> str:
    """A database to load from, in the cluster of the sources: the platform's is closed to them."""
    name = f"source_{uuid4().hex}"
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(source_cluster.dsn(name), autocommit=True) as conn:
        conn.execute(SOURCE)
    return source_cluster.dsn(name)


@pytest.fixture
def broker(migrated: Settings) -> Iterator[redis.Redis]:
    """The broker itself."""
    with redis.Redis.from_url(migrated.redis) as client:
        yield client
