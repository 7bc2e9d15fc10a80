"""Before the fork: import everything and run a throw-away tenant once, so that every child shares
the pages and no run waits for a lazy import. Opens no connection of the install.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import dagster as dg

from etlfabric_dagster import collector
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration import attempts
from etlfabric_dagster.orchestration.definitions import build_definitions
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, StreamSnapshot, TenantSnapshot
from etlfabric_dagster.schemas.streams import LoadMode


def before_fork(**_: Any) -> None:
    """Warm the parent. Never fails a start."""
    try:
        with collector.paused():
            run_once()
    except Exception as exc:
        log.warning("worker.not_warm", error=str(exc)[:200])


def run_once() -> bool:
    """Run the throw-away tenant in memory; whether it succeeded."""
    snapshot = _tenant()
    encode(snapshot)
    job = build_definitions(snapshot).resolve_job_def("warm")
    run_id = str(UUID(int=1))
    with dg.DagsterInstance.ephemeral() as instance, attempts.executing(run_id, _Nothing()):
        return job.execute_in_process(instance=instance, run_id=run_id).success


def _tenant() -> TenantSnapshot:
    stream = StreamSnapshot(name="warm", table="warm__warm", mode=LoadMode.FULL)
    model = {
        "unique_id": "model.tenant.warm",
        "resource_type": "model",
        "name": "warm",
        "schema": "tenant_marts",
        "depends_on": {"nodes": ["source.tenant.raw.warm"]},
        "config": {},
    }
    source = {
        "resource_type": "source",
        "name": "warm__warm",
        "unique_id": "source.tenant.raw.warm",
    }
    manifest = {
        "nodes": {model["unique_id"]: model},
        "sources": {source["unique_id"]: source},
        "metadata": {"adapter_type": "postgres"},
    }
    return TenantSnapshot(
        org_id=UUID(int=0),
        slug="warm",
        name="Warm",
        version=1,
        pipelines=(
            PipelineSnapshot(
                id=UUID(int=2), name="warm", streams=(stream,), models=("model.tenant.warm",)
            ),
        ),
        manifest=manifest,
    )


class _Nothing:
    """A runner that materialises what it is asked for."""

    def load(
        self, context: dg.AssetExecutionContext, streams: Mapping[dg.AssetKey, str]
    ) -> Iterator[dg.MaterializeResult]:
        """Nothing is loaded."""
        for key in streams:
            yield dg.MaterializeResult(asset_key=key)

    def transform(
        self,
        context: dg.AssetExecutionContext,
        nodes: Mapping[str, dg.AssetKey],
        tests: Mapping[str, dg.AssetCheckKey],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Nothing is built."""
        for key in nodes.values():
            yield dg.MaterializeResult(asset_key=key)
