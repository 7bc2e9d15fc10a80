"""Which nodes a pipeline builds."""

from __future__ import annotations

from etlfabric_dagster.services import dbt_graph


def manifest(edges: dict[str, list[str]]) -> dict:
    """child → parents."""
    nodes = {n for n in {*edges, *sum(edges.values(), [])} if not n.startswith("source.")}
    sources = {n for n in sum(edges.values(), []) if n.startswith("source.")}
    children: dict[str, list[str]] = {}
    for child, parents in edges.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    return {
        "nodes": {n: {"resource_type": n.split(".")[0]} for n in nodes},
        "sources": {s: {"name": s.rpartition(".")[2]} for s in sources},
        "parent_map": edges,
        "child_map": children,
    }


SHOP = {
    "model.t.stg_orders": ["source.t.raw.orders"],
    "model.t.stg_crm": ["source.t.raw.contacts"],
    "model.t.revenue": ["model.t.stg_orders", "seed.t.rates", "model.t.calendar"],
    "model.t.joined": ["model.t.stg_orders", "model.t.stg_crm"],
    "test.t.unique_orders": ["model.t.stg_orders"],
    "test.t.orders_in_crm": ["model.t.stg_orders", "model.t.stg_crm"],
    "model.t.lonely": [],
}


def test_downstream_of_a_table_with_its_tests():
    built = dbt_graph.downstream(manifest(SHOP), {"orders"})
    assert {"model.t.stg_orders", "model.t.revenue", "model.t.joined"} <= set(built)
    assert "test.t.unique_orders" in built


def test_other_pipelines_staging_and_lonely_models_are_left_alone():
    built = dbt_graph.downstream(manifest(SHOP), {"orders"})
    assert "model.t.stg_crm" not in built
    assert "model.t.lonely" not in built


def test_seeds_and_models_without_source_come_along():
    built = dbt_graph.downstream(manifest(SHOP), {"orders"})
    assert {"seed.t.rates", "model.t.calendar"} <= set(built)


def test_test_that_looks_at_something_not_built_is_left_out():
    assert "test.t.orders_in_crm" not in dbt_graph.downstream(manifest(SHOP), {"orders"})
    both = dbt_graph.downstream(manifest(SHOP), {"orders", "contacts"})
    assert "test.t.orders_in_crm" in both


def test_unknown_table_builds_nothing():
    assert dbt_graph.downstream(manifest(SHOP), {"ghosts"}) == []
