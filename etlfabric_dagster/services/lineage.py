"""Lineage: streams → raw tables → staging → marts, from the stored manifest and the last runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Row, cast, func, select, true
from sqlalchemy.dialects.postgresql import JSONPATH

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import Connection, Pipeline, Run, Stream
from etlfabric_dagster.schemas.data import Lineage, LineageNode, NodeState
from etlfabric_dagster.schemas.health import PipelineHealth
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import data, dbt_nodes, pipeline_health
from etlfabric_dagster.services.scope import OrgScope

BROKEN = frozenset({"error", "fail", "failed"})
VERDICTS = (RunStatus.SUCCEEDED, RunStatus.FAILED)

Edge = tuple[str, str]


class Works(NamedTuple):
    """What the last runs tell about the org's pipelines."""

    health: Mapping[str, PipelineHealth]
    results: Mapping[str, Row[Any]]
    """Pipeline → `asked_at`, `streams` and `models` of its newest run that ended, canceled ones
    left out.
    """


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
    models, built = await _models(scope, works)
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
    last = (
        select(Run.created_at, Run.streams, Run.models)
        .where(Run.pipeline_id == Pipeline.id, Run.status.in_(VERDICTS))
        .order_by(Run.created_at.desc())
        .limit(1)
        .lateral("last")
    )
    told = last.c.created_at.label("asked_at"), last.c.streams, last.c.models
    query = select(Pipeline.id, Pipeline.name, *told).outerjoin(last, true())
    rows = (await scope.session.execute(query)).all()
    health = await pipeline_health.of(scope.session, [row.id for row in rows], history=False)
    return Works(
        {row.name: health[row.id] for row in rows},
        {row.name: row for row in rows if row.asked_at is not None},
    )


async def _loaded(scope: OrgScope, works: Works) -> tuple[dict[str, LineageNode], set[Edge]]:
    """Streams and their raw tables."""
    tables = func.jsonb_path_query_array(Stream.tables, cast("$[*].table", JSONPATH))
    query = (
        select(
            Stream.name,
            Stream.table_name,
            tables.label("tables"),
            Pipeline.name.label("pipeline"),
            Connection.name.label("connection"),
        )
        .join(Pipeline, Pipeline.id == Stream.pipeline_id)
        .join(Connection, Connection.id == Pipeline.connection_id)
        .where(Stream.selected)
    )
    nodes: dict[str, LineageNode] = {}
    edges: set[Edge] = set()
    for stream in await scope.session.execute(query):
        fares, source = _fares(stream, works), f"source.{stream.connection}.{stream.name}"
        nodes[source] = LineageNode(
            id=source, layer="source", name=stream.name, kind="stream", **fares
        )
        for table in stream.tables or [stream.table_name]:
            raw = f"raw.{table}"
            nodes[raw] = LineageNode(id=raw, layer="raw", name=table, kind="table", **fares)
            edges.add((source, raw))
    return nodes, edges


def _fares(stream: Row[Any], works: Works) -> dict[str, Any]:
    """What a stream and its raw tables share."""
    run = works.results.get(stream.pipeline)
    result = run.streams.get(stream.name, {}) if run else {}
    error = result.get("error") or {}
    health = works.health[stream.pipeline]
    failed = result.get("status") in BROKEN
    return {
        "pipelines": (stream.pipeline,),
        "state": _state(failed=failed, built=bool(stream.tables), health=[health]),
        "fresh_at": health.fresh_at,
        "message": error.get("message") if failed else None,
    }


async def _models(scope: OrgScope, works: Works) -> tuple[dict[str, LineageNode], set[Edge]]:
    """dbt nodes of the last good manifest, and what they are made of."""
    built = await dbt_nodes.of(scope)
    users: dict[str, list[str]] = {}
    for pipeline, unique_ids in built.selections.items():
        for unique_id in unique_ids:
            users.setdefault(unique_id, []).append(pipeline)
    ids = {key: f"{node.layer}.{node.name}" for key, node in built.nodes.items()}
    ids |= {key: f"raw.{table}" for key, table in built.sources.items()}
    nodes = {
        ids[key]: _model_node(ids[key], node, users.get(key, []), works)
        for key, node in built.nodes.items()
    }
    edges = {
        (ids[parent], ids[key])
        for key, node in built.nodes.items()
        for parent in node.parents
        if parent in ids
    }
    return nodes, edges


def _model_node(
    node_id: str, node: dbt_nodes.BuiltNode, pipelines: list[str], works: Works
) -> LineageNode:
    known = [name for name in sorted(pipelines) if name in works.health]
    runs = [works.results[name] for name in known if name in works.results]
    told = [(run.asked_at, run.models[node.name]) for run in runs if node.name in run.models]
    newest = max(told, key=lambda pair: pair[0])[1] if told else {}
    failed = newest.get("status") in BROKEN
    fresh = [at for name in known if (at := works.health[name].fresh_at)]
    return LineageNode(
        id=node_id,
        layer=node.layer,
        name=node.name,
        kind=node.kind,
        pipelines=tuple(known),
        state=_state(
            failed=failed, built=bool(fresh), health=[works.health[name] for name in known]
        ),
        fresh_at=max(fresh, default=None),
        message=newest.get("message") if failed else None,
        path=node.path,
    )


def _state(*, failed: bool, built: bool, health: Iterable[PipelineHealth]) -> NodeState:
    if failed:
        return NodeState.FAILED
    if not built:
        return NodeState.NEVER
    return NodeState.LATE if any(one.late_since for one in health) else NodeState.FINE


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
