"""The short form of each benchmark: what it counts is true, however long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_graphql.schema import create_schema

from benchmarks import burst, fairness, noop_sync, start_latency
from benchmarks import fleet as fleet_benchmark
from benchmarks.tenants import Source
from etlfabric_dagster.config import Settings
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.workspace import FabricProcessContext

pytestmark = pytest.mark.usefixtures("workers")


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
    found = burst.measure(Source(source), count=2)
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
