"""Materialisations of dbt nodes that the plan did not know: a first load makes them possible."""

from __future__ import annotations

from functools import cached_property
from uuid import UUID

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration import events
from etlfabric_dagster.orchestration.definitions import DbtNodes, dbt_nodes
from etlfabric_dagster.schemas.jobs import NodeEvent
from etlfabric_dagster.services import snapshots


class LateNodes:
    """Reads the org's configuration of now, once, when the first late node ends."""

    def __init__(self, org_id: UUID, slug: str) -> None:
        self._org_id, self._slug = org_id, slug

    def event(self, event: NodeEvent) -> dg.AssetMaterialization | dg.AssetCheckEvaluation | None:
        """The event of a node, with the key it will have once published; None for what Dagster
        does not show.
        """
        metadata = events.node_metadata(event.result)
        if check := self._nodes.checks.get(event.unique_id):
            result = events.check_result(check.key, event.result)
            return result and dg.AssetCheckEvaluation(
                asset_key=check.key.asset_key,
                check_name=check.key.name,
                passed=result.passed,
                severity=result.severity,
                metadata=metadata,
            )
        spec = self._nodes.assets.get(event.unique_id)
        if spec is None or event.result.status not in events.BUILT:
            return None
        return dg.AssetMaterialization(spec.key, metadata={**metadata, "late": True})

    @cached_property
    def _nodes(self) -> DbtNodes:
        return dbt_nodes(aio.run(snapshots.build(self._org_id)))
