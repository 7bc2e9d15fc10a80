"""Lineage: streams → raw tables → staging → marts, from the stored manifest and the last runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import Connection, Pipeline, Run, Stream
from etlfabric_dagster.schemas.data import Lineage, LineageNode, NodeState
from etlfabric_dagster.schemas.health import PipelineHealth
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import data, dbt_graph, dbt_store, pipeline_health
from etlfabric_dagster.services.scope import OrgScope

BROKEN = frozenset({"error", "fail", "failed"})

Edge = tuple[str, str]


class Works(NamedTuple):
    """What the last runs tell about the org's pipelines."""

    health: Mapping[str, PipelineHealth]
    results: Mapping[str, Run]
    """Pipeline → its newest run that ended, canceled ones left out."""


async def graph(
    scope: OrgScope, *, focus: str | None = None, depth: int | None = None, columns: bool = False
) -> Lineage:
    """All of the org's lineage, or what is around one node. A fixed number of queries.

    Args:
        focus: a node's id, as `marts.orders`.
        depth: steps from the focus, up and down; None = all the way.
        columns: with the columns of tables that exist.

    Raises NotFoundError for a focus that is no node.
    """
    works = await _works(scope)
    nodes, edges = await _loaded(scope, works)
    models, built = await _models(scope, works, nodes)
    nodes |= models
    edges |= {edge for edge in built if edge[0] in nodes}
    if focus is not None:
        kept = _around(scope, focus, nodes, edges, depth)
        nodes = {node_id: node for node_id, node in nodes.items() if node_id in kept}
        edges = {edge for edge in edges if kept.issuperset(edge)}
    if columns:
        nodes = await _with_columns(scope, nodes)
    return Lineage(nodes=tuple(nodes[key] for key in sorted(nodes)), edges=tuple(sorted(edges)))


async def _works(scope: OrgScope) -> Works:
    rows = await scope.session.execute(select(Pipeline.id, Pipeline.name))
    names: dict[UUID, str] = {row.id: row.name for row in rows}
    health = await pipeline_health.of(scope.session, list(names))
    newest = (
        select(Run)
        .distinct(Run.pipeline_id)
        .where(Run.pipeline_id.in_(names), Run.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED)))
        .order_by(Run.pipeline_id, Run.created_at.desc())
    )
    results = {names[run.pipeline_id]: run for run in await scope.session.scalars(newest)}
    return Works({names[key]: value for key, value in health.items()}, results)


async def _loaded(scope: OrgScope, works: Works) -> tuple[dict[str, LineageNode], set[Edge]]:
    """Streams and their raw tables."""
    query = (
        select(Stream, Pipeline.name, Connection.name)
        .join(Pipeline, Pipeline.id == Stream.pipeline_id)
        .join(Connection, Connection.id == Pipeline.connection_id)
        .where(Stream.selected)
    )
    nodes: dict[str, LineageNode] = {}
    edges: set[Edge] = set()
    for stream, pipeline, connection in await scope.session.execute(query):
        source = _stream_node(stream, pipeline, connection, works)
        nodes[source.id] = source
        for table in [t["table"] for t in stream.tables] or [stream.table_name]:
            raw = source.model_copy(
                update={"id": f"raw.{table}", "layer": "raw", "name": table, "kind": "table"}
            )
            nodes[raw.id] = raw
            edges.add((source.id, raw.id))
    return nodes, edges


def _stream_node(stream: Stream, pipeline: str, connection: str, works: Works) -> LineageNode:
    run = works.results.get(pipeline)
    result = run.streams.get(stream.name, {}) if run else {}
    error = result.get("error") or {}
    health = works.health[pipeline]
    failed = result.get("status") in BROKEN
    return LineageNode(
        id=f"source.{connection}.{stream.name}",
        layer="source",
        name=stream.name,
        kind="stream",
        pipelines=(pipeline,),
        state=_state(failed=failed, built=bool(stream.tables), health=[health]),
        fresh_at=health.fresh_at,
        message=error.get("message") if failed else None,
    )


async def _models(
    scope: OrgScope, works: Works, loaded: Mapping[str, LineageNode]
) -> tuple[dict[str, LineageNode], set[Edge]]:
    """dbt nodes of the last good manifest, and what they are made of."""
    stored = await dbt_store.manifest_of(scope)
    if stored is None:
        return {}, set()
    manifest = stored.manifest
    users: dict[str, list[str]] = {}
    for pipeline, unique_ids in stored.selections.items():
        for unique_id in unique_ids:
            users.setdefault(unique_id, []).append(pipeline)
    ids = {unique_id: _id_of(node) for unique_id, node in _built(manifest)}
    ids |= {key: f"raw.{node['name']}" for key, node in manifest.get("sources", {}).items()}
    nodes = {
        ids[unique_id]: _model_node(ids[unique_id], node, users.get(unique_id, []), works)
        for unique_id, node in _built(manifest)
    }
    edges = {
        (ids[parent], ids[unique_id])
        for unique_id, _ in _built(manifest)
        for parent in manifest.get("parent_map", {}).get(unique_id, ())
        if parent in ids
    }
    return nodes, edges


def _model_node(
    node_id: str, node: Mapping[str, Any], pipelines: list[str], works: Works
) -> LineageNode:
    known = [name for name in sorted(pipelines) if name in works.health]
    runs = [works.results[name] for name in known if name in works.results]
    told = [
        (run.created_at, run.models[node["name"]]) for run in runs if node["name"] in run.models
    ]
    newest = max(told, key=lambda pair: pair[0])[1] if told else {}
    failed = newest.get("status") in BROKEN
    fresh = [at for name in known if (at := works.health[name].fresh_at)]
    return LineageNode(
        id=node_id,
        layer=node_id.partition(".")[0],
        name=node["name"],
        kind=node["resource_type"],
        pipelines=tuple(known),
        state=_state(
            failed=failed, built=bool(fresh), health=[works.health[name] for name in known]
        ),
        fresh_at=max(fresh, default=None),
        message=newest.get("message") if failed else None,
        path=node.get("path"),
    )


def _state(*, failed: bool, built: bool, health: Iterable[PipelineHealth]) -> NodeState:
    if failed:
        return NodeState.FAILED
    if not built:
        return NodeState.NEVER
    return NodeState.LATE if any(one.late_since for one in health) else NodeState.FINE


def _built(manifest: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    nodes: Mapping[str, Mapping[str, Any]] = manifest.get("nodes", {})
    return [item for item in nodes.items() if item[1]["resource_type"] in dbt_graph.BUILT]


def _id_of(node: Mapping[str, Any]) -> str:
    layer = str(node.get("schema", "")).rpartition("_")[2]
    return f"{layer}.{node['name']}"


def _around(
    scope: OrgScope,
    focus: str,
    nodes: Mapping[str, LineageNode],
    edges: Iterable[Edge],
    depth: int | None,
) -> set[str]:
    if focus not in nodes:
        raise NotFoundError(
            f"There is no '{focus[:200]}' in the lineage of '{scope.slug}'.",
            "Name a node as in marts.orders, raw.shop__orders or source.shop.orders.",
        )
    down: dict[str, set[str]] = {}
    up: dict[str, set[str]] = {}
    for parent, child in edges:
        down.setdefault(parent, set()).add(child)
        up.setdefault(child, set()).add(parent)
    return _reach(focus, down, depth) | _reach(focus, up, depth)


def _reach(start: str, steps: Mapping[str, set[str]], depth: int | None) -> set[str]:
    found, edge = {start}, {start}
    while edge and depth != 0:
        edge = {to for node in edge for to in steps.get(node, ())} - found
        found |= edge
        depth = None if depth is None else depth - 1
    return found


async def _with_columns(
    scope: OrgScope, nodes: Mapping[str, LineageNode]
) -> dict[str, LineageNode]:
    found = await data.columns_of(scope)
    columns = {f"{layer}.{table}": one for (layer, table), one in found.items()}
    return {
        key: node.model_copy(update={"columns": columns.get(key, ())})
        for key, node in nodes.items()
    }
