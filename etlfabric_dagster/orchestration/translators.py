"""How streams and dbt nodes become asset specs: subclasses of the integrations' translators.

Tenants write dbt YAML, so nothing of a node's `meta.dagster` is honoured: it could take another
asset's key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData
from dlt.extract.resource import DltResource

from etlfabric_dagster.orchestration import keys
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, StreamSnapshot, TenantSnapshot
from etlfabric_dagster.schemas.streams import ColumnInfo, TableSchema

UNIQUE_ID = "dagster_dbt/unique_id"
SHARED_GROUP, UNUSED_GROUP = "shared", "models"

_BOOKKEEPING = {"dagster_dbt/manifest", "dagster_dbt/dagster_dbt_translator"}


def column_schema(columns: Sequence[ColumnInfo]) -> dg.TableSchema:
    """Columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(c.name, c.type, constraints=dg.TableColumnConstraints(c.nullable))
            for c in columns
        ]
    )


def owners_of(snapshot: TenantSnapshot) -> list[str]:
    """Dagster knows owners as addresses or teams."""
    return [owner if "@" in owner else f"team:{owner}" for owner in snapshot.owners]


class FabricDltTranslator(DagsterDltTranslator):
    """Names a pipeline's streams: `[org, "raw", table]`, in the pipeline's group."""

    def __init__(self, snapshot: TenantSnapshot, pipeline: PipelineSnapshot) -> None:
        self.slug, self.owners, self.pipeline = snapshot.slug, owners_of(snapshot), pipeline
        self.streams = {stream.table: stream for stream in pipeline.streams}

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        """The spec of the resource that loads a stream's table."""
        stream = self.streams[data.resource.name]
        connector = {self.pipeline.connector} if self.pipeline.connector else set()
        return (
            super()
            .get_asset_spec(data)
            .replace_attributes(
                key=keys.raw_key(self.slug, stream.table),
                deps=[],
                description=f"Stream {stream.name} of connection {self.pipeline.connection}.",
                group_name=self.pipeline.name,
                owners=self.owners,
                kinds={"dlt", "postgres"} | connector,
            )
            .merge_attributes(metadata=self._metadata(stream))
        )

    def specs(self, stream: StreamSnapshot) -> list[dg.AssetSpec]:
        """The stream's asset, and one per child table that a load has left."""
        resource = DltResource.from_data((), name=stream.table)
        spec = self.get_asset_spec(DltResourceTranslatorData(resource=resource, pipeline=None))
        children = [table for table in stream.tables if table.table != stream.table]
        return [spec, *(self._child(spec, stream, table) for table in children)]

    def _child(
        self, parent: dg.AssetSpec, stream: StreamSnapshot, table: TableSchema
    ) -> dg.AssetSpec:
        metadata = {
            "stream": stream.name,
            "dagster/table_name": table.table,
            "dagster/column_schema": column_schema(table.columns),
        }
        return parent.replace_attributes(
            key=keys.raw_key(self.slug, table.table),
            deps=[keys.raw_key(self.slug, table.parent or stream.table)],
            description=f"Nested rows of {stream.name}.",
            metadata=metadata,
        )

    def _metadata(self, stream: StreamSnapshot) -> dict[str, Any]:
        loaded = next((t.columns for t in stream.tables if t.table == stream.table), ())
        facts: dict[str, Any] = {"stream": stream.name, "mode": stream.mode.value}
        if columns := loaded or stream.columns:
            facts["dagster/column_schema"] = column_schema(columns)
        return facts


class FabricDbtTranslator(DagsterDbtTranslator):
    """Names a tenant's dbt nodes: `[org, "staging"|"marts", name]`, sources as raw tables."""

    def __init__(self, snapshot: TenantSnapshot) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_metadata=False))
        self.slug, self.owners = snapshot.slug, owners_of(snapshot)
        self.users: dict[str, list[str]] = {}
        for pipeline in snapshot.pipelines:
            for unique_id in pipeline.models:
                self.users.setdefault(unique_id, []).append(pipeline.name)

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """The spec without the integration's own bookkeeping, which holds the whole manifest."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        kept = {key: value for key, value in spec.metadata.items() if key not in _BOOKKEEPING}
        return spec.replace_attributes(metadata=kept, kinds={"dbt", "postgres"})

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """See `keys.node_key`."""
        return keys.node_key(self.slug, dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The pipeline that builds the node, or `shared` when several do."""
        users = self.users.get(dbt_resource_props["unique_id"], [])
        return users[0] if len(users) == 1 else SHARED_GROUP if users else UNUSED_GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The org's owners."""
        return self.owners

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> None:
        """None: the platform's schedules start runs, Dagster never does by itself."""

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """The check of a dbt test that stands on this asset; None when it stands on another."""
        props = self.get_resource_props(manifest, unique_id)
        parents = [p for p in props["depends_on"]["nodes"] if not p.startswith("macro")]
        attached = props.get("attached_node") or (parents[0] if len(parents) == 1 else None)
        if attached is None or self.key_of(manifest, attached) != asset_spec.key:
            return None
        others = {self.key_of(manifest, parent) for parent in parents} - {asset_spec.key}
        return dg.AssetCheckSpec(
            name=props["name"],
            asset=asset_spec.key,
            additional_deps=sorted(others),
            description=props.get("description") or None,
            metadata={UNIQUE_ID: unique_id},
        )

    def key_of(self, manifest: Mapping[str, Any], unique_id: str) -> dg.AssetKey:
        """The asset key of a node."""
        return self.get_asset_key(self.get_resource_props(manifest, unique_id))
