"""Dagster's selections and a run's are the same thing said twice."""

from __future__ import annotations

import dagster as dg
import pytest

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.orchestration import selections
from etlfabric_dagster.orchestration.selections import DagsterSelection
from etlfabric_dagster.schemas.runs import RunSelection
from etlfabric_dagster.schemas.snapshot import TenantSnapshot


def key(path: str) -> dg.AssetKey:
    return dg.AssetKey(["acme", *path.split("/")])


def asked(job: str, *assets: str) -> DagsterSelection:
    return DagsterSelection(job, frozenset(map(key, assets)) if assets else None)


def test_a_whole_job_is_a_whole_run(snapshot: TenantSnapshot) -> None:
    assert selections.to_run(snapshot, asked("shop")) == ("shop", RunSelection())


@pytest.mark.parametrize(
    ("assets", "streams", "models"),
    [
        (("raw/shop__orders",), ("orders",), ()),
        (("raw/shop__orders__lines",), ("orders",), ()),
        (("marts/daily_orders",), (), ("daily_orders",)),
        (("raw/shop__orders", "raw/shop__customers", "raw/shop__orders__lines"), None, ()),
    ],
)
def test_assets_are_streams_and_models(
    snapshot: TenantSnapshot,
    assets: tuple[str, ...],
    streams: tuple[str, ...] | None,
    models: tuple[str, ...],
) -> None:
    pipeline, selection = selections.to_run(snapshot, asked("shop", *assets))
    assert (pipeline, selection.streams, selection.models) == ("shop", streams, models)


def test_steps_of_a_re_execution_leave_out_what_succeeded(snapshot: TenantSnapshot) -> None:
    again = DagsterSelection("shop", steps=frozenset({"transform__dbt"}))
    assert selections.to_run(snapshot, again)[1].streams == ()


def test_what_no_pipeline_builds_is_refused(snapshot: TenantSnapshot) -> None:
    with pytest.raises(InvalidInputError, match="no pipeline builds"):
        selections.to_run(snapshot, asked("__ASSET_JOB", "marts/nothing"))


@pytest.mark.parametrize(
    "selection",
    [
        RunSelection(streams=("orders",), models=()),
        RunSelection(streams=(), models=("daily_orders",)),
        RunSelection(streams=("customers",)),
    ],
)
def test_there_and_back(snapshot: TenantSnapshot, selection: RunSelection) -> None:
    pipeline = snapshot.pipelines[0]
    there = selections.to_dagster(snapshot, pipeline, selection)
    assert selections.to_run(snapshot, there) == ("shop", selection)


def test_a_selection_of_nothing_is_refused(snapshot: TenantSnapshot) -> None:
    nothing = RunSelection(streams=(), models=())
    with pytest.raises(InvalidInputError, match="leaves nothing"):
        selections.to_dagster(snapshot, snapshot.pipelines[0], nothing)
