"""The short form of each benchmark: what it counts is true, however long it takes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import psycopg
import pytest
from dagster_graphql.schema import create_schema

from benchmarks import burst, chaos, fairness, noop_sync, start_latency
from benchmarks import fleet as fleet_benchmark
from benchmarks.tenants import Source
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import Settings
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from tests.processes import family, local_ports, signal_all
from tests.test_tasks.conftest import Workers

pytestmark = pytest.mark.usefixtures("workers")

KILLS, ORGS, LEASE_S = 6, 2, 2.0
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY(%s)"


@pytest.fixture(scope="module")
def dagster(migrated: Settings, workers: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(migrated) as opened:
        yield opened


def test_every_run_of_start_latency_begins_a_step_before_it_ends(
    source: str, dagster: dg.DagsterInstance
) -> None:
    measured = start_latency.measure(dagster, Source(source), count=1, warm=1)
    assert [ended.streams for ended in measured.runs] == [{"unchanged"}]
    for ended, first_step in zip(measured.runs, measured.first_steps, strict=True):
        assert ended.waited <= first_step <= ended.seconds


def test_noop_sync_loads_once_and_then_nothing(source: str) -> None:
    runs = noop_sync.measure(Source(source), count=1, rows=20, warm=1)
    assert [ended.streams for ended in runs] == [{"unchanged"}]


def test_every_run_of_a_burst_succeeds(source: str) -> None:
    found = burst.measure(Source(source), count=2, bare_loads=2)
    assert [ended.status for ended in found.first + found.runs] == ["succeeded"] * 4
    assert {status for ended in found.runs for status in ended.streams} == {"succeeded"}
    assert found.bare_s > 0


def test_fairness_measures_beside_a_queue_that_is_not_empty(source: str) -> None:
    shares = fairness.measure(Source(source), queue=4, every_s=0, alone=1, warm=1)
    assert shares.queued
    assert {ended.status for ended in shares.beside} == {"succeeded"}


def test_fleet_shows_every_org_and_each_new_one(source: str, dagster: dg.DagsterInstance) -> None:
    template = fleet_benchmark.prepare(Source(source), count=3)
    schema = create_schema()
    with FabricProcessContext(dagster, poll_s=0.05) as context:

        def ask(query: str) -> dict[str, Any]:
            answer = schema.execute(query, context_value=context.create_request_context())
            assert answer.data is not None, answer.errors
            return answer.data

        shown = fleet_benchmark.look(ask, template, new=1)
    assert shown.locations >= 3
    assert len(shown.visible_s) == 1


class Tree:
    """A process of the fixture and its children, which Celery replaces."""

    def __init__(self, pid: int) -> None:
        self._root = pid

    def processes(self) -> list[psutil.Process]:
        return family(self._root)

    def has(self, pid: int) -> bool:
        return pid in {one.pid for one in self.processes()}

    def signal(self, number: int) -> None:
        signal_all(self.processes(), number)

    def kill(self) -> None:
        raise AssertionError("the fixture's worker is needed by others")

    def revive(self) -> bool:
        return False

    def ports(self) -> list[int]:
        """Of its connections."""
        return [port for one in self.processes() for port in local_ports(one)]


@pytest.fixture
def attacked(
    processes: Workers,
    migrated: Settings,
    source_cluster: PostgresCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[chaos.Chaos]:
    monkeypatch.setattr(migrated, "max_attempts", 50)
    sources = {f"chaos_{n}": chaos.fill(source_cluster, f"chaos_{n}") for n in range(ORGS)}
    for slug, dsn in sources.items():
        run(chaos.configure(slug, dsn, models="path:none"))
    workers = Tree(processes.pids["runs"])
    url = migrated.database.render_as_string(hide_password=False)

    def cut() -> None:
        """As a restart of PostgreSQL does, for the workers alone: others share the server."""
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(CUT, [workers.ports()])

    clock = Tree(processes.pids["clock"])
    yield chaos.Chaos(sources, [workers], clock, cut, lease_s=LEASE_S, whole_hosts=0)
    workers.signal(signal.SIGCONT)


def test_chaos_loses_nothing_doubles_nothing_and_tells_the_truth(attacked: chaos.Chaos) -> None:
    found = chaos.play(attacked, KILLS)
    assert (found.kills, found.wipes, found.crashes, found.freezes) == (KILLS, 1, 1, 1)
    assert found.runs >= KILLS
    assert (found.failed, found.lost, found.duplicates, found.unlike_source) == (0, 0, 0, 0)
    assert (found.overlapping, found.unlike_dagster) == (0, 0)
    assert len(found.recovered_s) >= KILLS - 1
