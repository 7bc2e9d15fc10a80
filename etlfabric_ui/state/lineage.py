"""Lineage: what each table is made of, how fresh it is, and what of it fails."""

from __future__ import annotations

from collections import defaultdict

import reflex as rx

from etlfabric_dagster.schemas.data import Lineage, LineageNode
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import lineage
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import routes
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state import graph_layout
from etlfabric_ui.state.base import PageState, moment, query_of
from etlfabric_ui.state.dbt_models import NODE_STATES, href_of
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.data import Band, CompletionColumn, GraphEdge, GraphNode
from etlfabric_ui.views.shared import Moment, Problem

MOST = 100
"""Nodes drawn; above it raw tables and their staging fold per pipeline."""
HOPS = 2
MAX_HOPS = 9
SHOWN = 24
"""Characters of a name that fit; more lose their middle."""
FOLDED = ("source", "raw", "staging")


class LineageState(PageState, rx.State):
    """The graph around the focus that the URL names, or all of it while it is small."""

    nodes: list[GraphNode] = []
    edges: list[GraphEdge] = []
    bands: list[Band] = []
    width: str = ""
    height: str = ""
    total: int = 0
    focus: str = ""
    hops: int = HOPS
    only: str = ""
    pipeline: str = ""
    pipelines: list[str] = []
    query: str = ""
    matches: list[str] = []
    folded: bool = False
    as_list: bool = False
    address: str = ""
    """All of these, as the URL's query."""
    open_id: str = ""
    open_name: str = ""
    open_state: str = ""
    open_fresh: Moment = Moment()
    open_message: str = ""
    open_columns: list[CompletionColumn] = []
    open_sql: str = ""
    open_rows: str = ""
    _all: list[str] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """What the URL asks for: focus, hops, filter, list or graph."""
        self.problem = Problem()
        query = self.router.url.query_parameters
        self.focus, self.query, self.matches = query.get("focus", "")[:300], "", []
        given = query.get("hops", "")
        self.hops = min(MAX_HOPS, max(1, int(given))) if given.isdigit() else HOPS
        self.only = query.get("state", "") if query.get("state") in ("failed", "late") else ""
        self.pipeline = query.get("pipeline", "")[:100]
        self.as_list = query.get("view") == "list"
        await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            whole = await lineage.graph(scope)
            shown = whole
            if self.focus:
                shown = await lineage.graph(scope, focus=self.focus, depth=self.hops)
        self.total = len(whole.nodes)
        self._all = [node.id for node in whole.nodes]
        self.pipelines = sorted({name for node in whole.nodes for name in node.pipelines})
        shown = _kept(shown, self.only, self.pipeline)
        self.folded = len(shown.nodes) > MOST and not self.as_list
        if self.folded:
            shown = fold(shown)
        self._draw(shown)
        self.address = query_of(
            focus=self.focus,
            hops="" if self.hops == HOPS else str(self.hops),
            state=self.only,
            pipeline=self.pipeline,
            view="list" if self.as_list else "",
        )
        self.open_id, self.loaded = "", True

    @rx.event
    @guarded(Role.VIEWER)
    async def find(self, _visit: Visit, query: str) -> None:
        """Names that contain it, to put into focus."""
        self.query = query[:100]
        wanted = self.query.lower()
        self.matches = [one for one in self._all if wanted and wanted in one.lower()][:10]

    @rx.event
    @guarded(Role.VIEWER)
    async def look(self, visit: Visit, focus: str, hops: int, only: str, pipeline: str) -> None:
        """Another part of the graph, in the URL."""
        self.focus, self.query, self.matches = focus[:300], "", []
        self.hops = min(MAX_HOPS, max(1, hops))
        self.only, self.pipeline = only if only in ("failed", "late") else "", pipeline[:100]
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def toggle_list(self, visit: Visit) -> None:
        """Graph or list."""
        self.as_list = not self.as_list
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def open(self, visit: Visit, node_id: str) -> None:
        """One table's columns, freshness and ways on; "" closes."""
        self.open_id = ""
        if not node_id or node_id not in self._all:
            return
        async with org_scope(visit.actor, visit.org) as scope:
            found = await lineage.graph(scope, focus=node_id, depth=0, columns=True)
        node = found.nodes[0]
        self.open_id, self.open_name = node.id, node.name
        self.open_state, self.open_fresh = NODE_STATES[node.state], moment(node.fresh_at)
        self.open_message = node.message or ""
        self.open_columns = [CompletionColumn(one.name, one.type) for one in node.columns]
        self.open_sql = href_of(visit.org, node.path) if node.path else ""
        stands = node.layer != "source" and bool(node.columns)
        data = routes.to(routes.DATA, org_slug=visit.org)
        self.open_rows = f"{data}/{node.layer}/{node.name}" if stands else ""

    def _draw(self, shown: Lineage) -> None:
        layers = {node.id: node.layer for node in shown.nodes}
        placed = graph_layout.place(layers, shown.edges)
        up, down = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for parent, child in shown.edges:
            up[child].append(parent)
            down[parent].append(child)
        drawn = [
            _node(node, placed.at[node.id], up[node.id], down[node.id], self.focus)
            for node in shown.nodes
        ]
        self.nodes = sorted(drawn, key=lambda one: (int(one.x[:-2]), int(one.y[:-2])))
        self.edges = [
            GraphEdge(graph_layout.curve(placed.at[a], placed.at[b]), a, b) for a, b in shown.edges
        ]
        self.bands = [
            Band(copy.BANDS[band], f"{left}px", f"{width}px")
            for band, (left, width) in placed.bands.items()
        ]
        self.width, self.height = f"{placed.width}px", f"{placed.height}px"


def fold(shown: Lineage) -> Lineage:
    """Sources, raw tables and staging as one node each per pipeline: “shop: 312 streams”."""
    names: dict[str, str] = {}
    groups: dict[str, list[LineageNode]] = defaultdict(list)
    for node in shown.nodes:
        folds = node.layer in FOLDED and node.pipelines
        key = f"{node.layer}:{node.pipelines[0]}" if folds else node.id
        names[node.id] = key
        groups[key].append(node)
    worst = ("failed", "late", "never", "fine")
    nodes = tuple(
        members[0]
        if len(members) == 1
        else members[0].model_copy(
            update={
                "id": key,
                "name": copy.FOLDED[members[0].layer].format(
                    pipeline=members[0].pipelines[0], count=f"{len(members):,}"
                ),
                "state": min((node.state for node in members), key=worst.index),
                "fresh_at": None,
                "path": None,
                "kind": "group",
            }
        )
        for key, members in groups.items()
    )
    final = {node_id: key if len(groups[key]) > 1 else node_id for node_id, key in names.items()}
    edges = {(final[a], final[b]) for a, b in shown.edges if final[a] != final[b]}
    return Lineage(nodes=nodes, edges=tuple(sorted(edges)))


def middle_out(name: str) -> str:
    """A long name without its middle: its end tells most."""
    if len(name) <= SHOWN:
        return name
    half = (SHOWN - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _kept(shown: Lineage, only: str, pipeline: str) -> Lineage:
    kept = {
        node.id
        for node in shown.nodes
        if (not only or node.state == only) and (not pipeline or pipeline in node.pipelines)
    }
    return Lineage(
        nodes=tuple(node for node in shown.nodes if node.id in kept),
        edges=tuple(edge for edge in shown.edges if kept.issuperset(edge)),
    )


def _node(
    node: LineageNode, at: tuple[int, int], up: list[str], down: list[str], focus: str
) -> GraphNode:
    state = NODE_STATES[node.state]
    fresh = moment(node.fresh_at)
    return GraphNode(
        id=node.id,
        name=node.name,
        shown=middle_out(node.name),
        layer=copy.BANDS[node.layer],
        kind=node.kind,
        state=state,
        x=f"{at[0]}px",
        y=f"{at[1]}px",
        fresh=fresh,
        said=f"{node.name}, {copy.BANDS[node.layer]}, {copy.NODE_STATES[state]}",
        up=" ".join(up),
        down=" ".join(down),
        focus=node.id == focus,
    )
