"""`build_definitions`: a TenantSnapshot becomes Dagster definitions. Pure: no database, no clock,
no secret; the same snapshot gives the same definitions.

No deferred annotations here: Dagster compares the annotation of `context` with its own classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from etlfabric_dagster.orchestration import attempts, keys
from etlfabric_dagster.orchestration.translators import (
    UNIQUE_ID,
    FabricDbtTranslator,
    FabricDltTranslator,
)
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, TenantSnapshot

ASSET_TYPES = ("model", "seed", "snapshot")

StepEvents = Iterator[dg.MaterializeResult | dg.AssetCheckResult]


@dataclass(frozen=True)
class Translators:
    """Who names streams and dbt nodes: subclass them to show other groups, owners or metadata."""

    dlt: type[FabricDltTranslator] = FabricDltTranslator
    dbt: type[FabricDbtTranslator] = FabricDbtTranslator


OURS = Translators()


def build_definitions(snapshot: TenantSnapshot, translators: Translators = OURS) -> dg.Definitions:
    """Each stream and each dbt node an asset, each dbt test a check, each pipeline a job."""
    loads = [_load_asset(translators.dlt(snapshot, p), p) for p in snapshot.pipelines if p.streams]
    nodes = dbt_nodes(snapshot, translators)
    transforms = [_transform_asset(nodes)] if nodes.assets else []
    jobs = [_job(snapshot, pipeline, nodes) for pipeline in snapshot.pipelines]
    return dg.Definitions(
        assets=[*loads, *transforms],
        jobs=[job for job in jobs if job is not None],
        executor=dg.in_process_executor,
    )


@dataclass(frozen=True)
class DbtNodes:
    """A manifest's nodes that Dagster shows, by dbt unique id."""

    assets: dict[str, dg.AssetSpec]
    checks: dict[str, dg.AssetCheckSpec]


def dbt_nodes(snapshot: TenantSnapshot, translators: Translators = OURS) -> DbtNodes:
    """The specs of all dbt nodes of the org, and of the tests that stand on one asset."""
    if not snapshot.manifest:
        return DbtNodes({}, {})
    manifest = with_sections(snapshot.manifest)
    translator = translators.dbt(snapshot)
    assets = {
        unique_id: translator.get_asset_spec(manifest, unique_id, None)
        for unique_id, props in sorted(manifest["nodes"].items())
        if _is_asset(props)
    }
    checks = {
        unique_id: check
        for unique_id, props in sorted(manifest["nodes"].items())
        if props["resource_type"] == "test"
        and (check := _check(translator, manifest, props, assets)) is not None
    }
    return DbtNodes(assets, checks)


def with_sections(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with every section the integration looks into, pruned ones empty."""
    sections = ("nodes", "sources", "exposures", "metrics", "groups", "parent_map", "child_map")
    return {**dict.fromkeys(sections, {}), **manifest}


def _is_asset(props: Mapping[str, Any]) -> bool:
    ephemeral = props.get("config", {}).get("materialized") == "ephemeral"
    return props["resource_type"] in ASSET_TYPES and not ephemeral


def _check(
    translator: FabricDbtTranslator,
    manifest: Mapping[str, Any],
    props: Mapping[str, Any],
    assets: Mapping[str, dg.AssetSpec],
) -> dg.AssetCheckSpec | None:
    on_assets = [spec for parent in props["depends_on"]["nodes"] if (spec := assets.get(parent))]
    found = (
        translator.get_asset_check_spec(spec, manifest, props["unique_id"], None)
        for spec in on_assets
    )
    return next((check for check in found if check is not None), None)


def _load_asset(translator: FabricDltTranslator, pipeline: PipelineSnapshot) -> dg.AssetsDefinition:
    specs = [spec for stream in pipeline.streams for spec in translator.specs(stream)]
    streams = {spec.key: spec.metadata["stream"] for spec in specs}

    @dg.multi_asset(name=keys.load_op(pipeline.name), specs=specs, can_subset=True)
    def load(context: dg.AssetExecutionContext) -> StepEvents:
        wanted = {key: streams[key] for key in context.selected_asset_keys}
        yield from attempts.of_run(context.run.run_id).load(context, wanted)

    return load


def _transform_asset(nodes: DbtNodes) -> dg.AssetsDefinition:
    unique_ids = {spec.key: unique_id for unique_id, spec in nodes.assets.items()}
    tests = {check.key: unique_id for unique_id, check in nodes.checks.items()}

    @dg.multi_asset(
        name=keys.TRANSFORM_OP,
        specs=[
            spec.replace_attributes(skippable=True, deps=spec.deps)
            for spec in nodes.assets.values()
        ],
        check_specs=list(nodes.checks.values()),
        can_subset=True,
    )
    def transform(context: dg.AssetExecutionContext) -> StepEvents:
        built = {unique_ids[key]: key for key in context.selected_asset_keys}
        checked = {tests[key]: key for key in context.selected_asset_check_keys}
        yield from attempts.of_run(context.run.run_id).transform(context, built, checked)

    return transform


def _job(snapshot: TenantSnapshot, pipeline: PipelineSnapshot, nodes: DbtNodes) -> Any:
    assets, checks = pipeline_keys(snapshot, pipeline, nodes)
    if not assets and not checks:
        return None
    selection = dg.AssetSelection.assets(*sorted(assets)).without_checks()
    if checks:
        selection = selection | dg.AssetSelection.checks(*sorted(checks))
    return dg.define_asset_job(pipeline.name, selection=selection)


def pipeline_keys(
    snapshot: TenantSnapshot, pipeline: PipelineSnapshot, nodes: DbtNodes
) -> tuple[set[dg.AssetKey], set[dg.AssetCheckKey]]:
    """What the pipeline's job consists of: its streams' tables, its dbt nodes and their tests."""
    tables = {s.table for s in pipeline.streams} | {
        table.table for stream in pipeline.streams for table in stream.tables
    }
    raw = {keys.raw_key(snapshot.slug, table) for table in tables}
    built = {nodes.assets[m].key for m in pipeline.models if m in nodes.assets}
    return raw | built, {nodes.checks[m].key for m in pipeline.models if m in nodes.checks}


__all__ = [
    "UNIQUE_ID",
    "DbtNodes",
    "Translators",
    "build_definitions",
    "dbt_nodes",
    "pipeline_keys",
]
