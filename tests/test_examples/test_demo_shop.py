"""The demo, as somebody who has just run `etlfabric up` finds it."""

from __future__ import annotations

from tests.live import LiveStack

MARTS = ("daily_orders", "revenue_by_month", "repeat_customers", "marketing_return")


def test_up_leaves_every_mart_filled(stack: LiveStack) -> None:
    counts = ", ".join(f"(select count(*) from {mart})" for mart in MARTS)

    answer = stack.cli("query", "demo", f"select {counts}")

    assert all(int(count) > 0 for count in answer["rows"][0])


def test_first_runs_succeeded_and_loaded_every_row(stack: LiveStack) -> None:
    runs = stack.cli("runs", "list", "demo")["items"]

    by_pipeline = {run["pipeline"]: run for run in runs}  # the oldest of each
    assert {name: run["status"] for name, run in by_pipeline.items()} == {
        "shop": "succeeded",
        "marketing": "succeeded",
    }
    assert by_pipeline["shop"]["rows_loaded"] > 150_000
    warnings = [s["warnings"] for run in runs for s in run["streams"].values() if s["warnings"]]
    assert warnings == []


def test_run_after_new_orders_loads_only_them(stack: LiveStack) -> None:
    revenue = "select sum(revenue) from daily_orders"
    before = stack.cli("query", "demo", revenue)["rows"]

    added = stack.cli("demo", "add-orders", "--count", "7")
    run = stack.cli("runs", "start", "demo", "shop", "--wait")

    assert added == {"added": 7}
    # rows that share the cursor's last value are read again: those of the last load
    assert 7 <= run["streams"]["orders"]["rows"] <= 500
    assert run["streams"]["products"]["rows"] == 0
    assert stack.cli("query", "demo", revenue)["rows"] != before


def test_loading_the_demo_again_keeps_what_people_changed(stack: LiveStack) -> None:
    script = """
from etlfabric_dagster import Fabric, demo

with Fabric.connect() as fabric:
    org = fabric.orgs.get("demo")
    mart = org.dbt_models.get("marts/repeat_customers.sql").content
    org.dbt_models.put("marts/repeat_customers.sql", sql=mart.replace("90 days", "60 days"))
    demo.load()
    print(org.dbt_models.get("marts/repeat_customers.sql").content)
    print([run.status.value for run in org.runs.list(pipeline="shop")][0])
"""

    printed = stack.python(script)

    assert "60 days" in printed
    assert printed.split()[-1] == "succeeded"
