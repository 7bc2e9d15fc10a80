"""A lineage's layout: bands in order, chains to the right, nothing on top of another."""

from __future__ import annotations

from etlfabric_dagster.schemas.data import Lineage, LineageNode, NodeState
from etlfabric_ui.state import graph_layout
from etlfabric_ui.state.lineage import MOST, fold, middle_out

LAYERS = {
    "source.shop.orders": "source",
    "raw.orders": "raw",
    "staging.stg_orders": "staging",
    "marts.daily": "marts",
    "marts.monthly": "marts",
}
EDGES = (
    ("source.shop.orders", "raw.orders"),
    ("raw.orders", "staging.stg_orders"),
    ("staging.stg_orders", "marts.daily"),
    ("marts.daily", "marts.monthly"),
)


def test_every_edge_leads_to_the_right() -> None:
    placed = graph_layout.place(LAYERS, EDGES)
    assert all(placed.at[a][0] < placed.at[b][0] for a, b in EDGES)
    assert [*placed.bands] == ["source", "raw", "staging", "marts"]
    assert placed.bands["marts"][1] > placed.bands["raw"][1]  # two marts in a row


def test_no_node_stands_on_another_and_all_are_inside() -> None:
    layers = {f"raw.{n}": "raw" for n in range(40)} | {f"marts.{n}": "marts" for n in range(40)}
    edges = {(f"raw.{n}", f"marts.{(n * 7) % 40}") for n in range(40)}
    placed = graph_layout.place(layers, edges)
    assert len(set(placed.at.values())) == 80
    assert max(x for x, _ in placed.at.values()) + graph_layout.WIDTH == placed.width
    assert max(y for _, y in placed.at.values()) + graph_layout.HEIGHT <= placed.height


def test_neighbors_stand_near_each_other() -> None:
    layers = {f"raw.{n}": "raw" for n in range(10)} | {f"marts.{n}": "marts" for n in range(10)}
    edges = {(f"raw.{n}", f"marts.{9 - n}") for n in range(10)}
    at = graph_layout.place(layers, edges).at
    assert all(at[a][1] == at[b][1] for a, b in edges)


def test_layout_is_the_same_whatever_the_order() -> None:
    assert graph_layout.place(LAYERS, EDGES) == graph_layout.place(
        dict(reversed(LAYERS.items())), tuple(reversed(EDGES))
    )


def test_nothing_is_a_layout_too() -> None:
    assert graph_layout.place({}, ()).at == {}


def test_curve_starts_at_the_right_edge_and_ends_at_the_left() -> None:
    assert graph_layout.curve((0, 0), (400, 100)).startswith("M220 22C")
    assert graph_layout.curve((0, 0), (400, 100)).endswith("400 122")


def test_many_tables_fold_per_pipeline_and_keep_the_worst_state() -> None:
    streams = [
        LineageNode(
            id=f"raw.t{n}",
            layer="raw",
            name=f"t{n}",
            kind="table",
            pipelines=("shop",),
            state=NodeState.FAILED if n == 7 else NodeState.FINE,
        )
        for n in range(312)
    ]
    mart = LineageNode(
        id="marts.m", layer="marts", name="m", kind="model", state=NodeState.FINE, path="marts/m"
    )
    folded = fold(
        Lineage(nodes=(*streams, mart), edges=tuple((one.id, "marts.m") for one in streams))
    )
    assert len(folded.nodes) == 2 < MOST
    group = next(node for node in folded.nodes if node.kind == "group")
    assert (group.name, group.state) == ("shop: 312 raw tables", NodeState.FAILED)
    assert folded.edges == ((group.id, "marts.m"),)


def test_long_names_lose_their_middle_only() -> None:
    name = "stg_salesforce__opportunity_line_items_history"
    assert middle_out(name).startswith("stg_salesfo")
    assert middle_out(name).endswith("ems_history")
    assert middle_out("daily_orders") == "daily_orders"
