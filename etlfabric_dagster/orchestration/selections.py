"""Between Dagster's selections (assets, checks, steps) and a run's (streams, models, checks).

Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.orchestration import keys
from etlfabric_dagster.orchestration.definitions import DbtNodes, dbt_nodes, pipeline_keys
from etlfabric_dagster.schemas.runs import RunSelection
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, TenantSnapshot


@dataclass(frozen=True)
class DagsterSelection:
    """What Dagster was asked for; None = everything of the job."""

    job: str
    assets: frozenset[dg.AssetKey] | None = None
    checks: frozenset[dg.AssetCheckKey] | None = None
    steps: frozenset[str] | None = None


def to_run(snapshot: TenantSnapshot, asked: DagsterSelection) -> tuple[str, RunSelection]:
    """The one pipeline that was asked for, and what of it.

    Raises InvalidInputError for a selection that no pipeline holds.
    """
    nodes = dbt_nodes(snapshot)
    pipeline = _pipeline(snapshot, nodes, asked)
    streams, models = _chosen(snapshot, pipeline, nodes, asked.assets)
    if asked.assets is None and asked.checks:
        streams, models = (), ()
    if asked.steps is not None:
        streams = streams if keys.load_op(pipeline.name) in asked.steps else ()
        models = models if keys.TRANSFORM_OP in asked.steps else ()
    checks = sorted(u for u, check in nodes.checks.items() if check.key in (asked.checks or ()))
    return pipeline.name, RunSelection(streams=streams, models=models, checks=tuple(checks) or None)


def to_dagster(
    snapshot: TenantSnapshot, pipeline: PipelineSnapshot, selection: RunSelection
) -> DagsterSelection:
    """The assets and checks of a run. Raises InvalidInputError when nothing is left to do."""
    if selection.streams is None and selection.models is None and selection.checks is None:
        return DagsterSelection(pipeline.name)
    nodes = dbt_nodes(snapshot)
    names = {uid: snapshot.manifest["nodes"][uid]["name"] for uid in nodes.assets}  # type: ignore[index]
    raw = {
        keys.raw_key(snapshot.slug, table)
        for stream in pipeline.streams
        if selection.streams is None or stream.name in selection.streams
        for table in (stream.table, *(t.table for t in stream.tables))
    }
    built = {
        nodes.assets[uid].key
        for uid in pipeline.models
        if uid in nodes.assets and (selection.models is None or names[uid] in selection.models)
    }
    checks = None
    if selection.checks is not None:
        checks = frozenset(nodes.checks[u].key for u in selection.checks if u in nodes.checks)
    if not raw and not built and not checks:
        raise InvalidInputError(
            f"The selection leaves nothing of pipeline '{pipeline.name}' to run.",
            "Select a stream, a dbt model or a test of this pipeline.",
        )
    return DagsterSelection(pipeline.name, frozenset(raw | built), checks)


def _pipeline(
    snapshot: TenantSnapshot, nodes: DbtNodes, asked: DagsterSelection
) -> PipelineSnapshot:
    by_name = {pipeline.name: pipeline for pipeline in snapshot.pipelines}
    if asked.job in by_name:
        return by_name[asked.job]
    wanted = set(asked.assets or ()) | set(asked.checks or ())
    contents = {
        name: set.union(*map(set, pipeline_keys(snapshot, pipeline, nodes)))
        for name, pipeline in by_name.items()
    }
    holding = [name for name, content in contents.items() if wanted and wanted <= content]
    if holding:
        return by_name[sorted(holding)[0]]
    touched = sorted(name for name, content in contents.items() if wanted & content)
    raise _no_single_pipeline(touched)


def _no_single_pipeline(touched: list[str]) -> InvalidInputError:
    if len(touched) > 1:
        return InvalidInputError(
            f"The selection spans the pipelines {', '.join(touched)}; a run belongs to one.",
            "Select assets of one pipeline, or launch one run per pipeline.",
            pipelines=touched,
        )
    return InvalidInputError(
        "The selection holds assets that no pipeline builds.",
        "Add the dbt model to a pipeline, or leave it out.",
    )


def _chosen(
    snapshot: TenantSnapshot,
    pipeline: PipelineSnapshot,
    nodes: DbtNodes,
    assets: Collection[dg.AssetKey] | None,
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if assets is None:
        return None, None
    streams = tuple(
        stream.name
        for stream in pipeline.streams
        if any(
            keys.raw_key(snapshot.slug, table) in assets
            for table in (stream.table, *(t.table for t in stream.tables))
        )
    )
    built = [uid for uid in pipeline.models if uid in nodes.assets]
    chosen = [uid for uid in built if nodes.assets[uid].key in assets]
    names = tuple(snapshot.manifest["nodes"][uid]["name"] for uid in chosen)  # type: ignore[index]
    all_streams, all_models = len(streams) == len(pipeline.streams), chosen == built
    return (None if all_streams else streams), (None if all_models else names)
