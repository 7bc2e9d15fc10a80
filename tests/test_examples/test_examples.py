"""What the docs promise, on a stack as `etlfabric up` starts it: the demo, the example of the
Python API on the 8 tables of TPC-H, and the examples of every method.

One file, so that test processes share one stack: starting it is most of the time.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etlfabric_dagster.embedded.state import StackState, State
from tests.stacks import Stack

TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
ROWS = 5 + 25 + 100 + 1500 + 2000 + 8000 + 15000 + 60_003

EXAMPLE = """\

from etlfabric_dagster import Fabric

with Fabric.connect() as fabric:
    acme = fabric.orgs.create("acme", name="Acme Inc.")
    shop = acme.register_source(
        "shop", connector="sql_database", config={config}, credentials={credentials}, streams="all"
    )
    run = acme.runs.start("shop").wait(timeout_s=120)
    print((run.status.value, run.rows_loaded))
    acme.schedules.set("shop", cron="*/15 * * * *", timezone="Europe/Berlin")
    acme.dbt_models.put("marts/daily_orders.sql", sql={model!r})
"""
MODEL = (
    "select o_orderdate as day, count(*) as orders, sum(o_totalprice) as revenue"
    " from {{ ref('stg_orders') }} group by 1"
)

MARTS = ("daily_orders", "revenue_by_month", "repeat_customers", "marketing_return")
SCRIPT = """
import doctest, importlib, pathlib, sys, tempfile
from etlfabric_dagster import Fabric

flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
runner = doctest.DocTestRunner(optionflags=flags)
with Fabric.connect() as fabric, tempfile.TemporaryDirectory() as folder:
    known = {
        "Fabric": Fabric,
        "fabric": fabric,
        "demo": fabric.orgs.get("demo"),
        "folder": pathlib.Path(folder),
    }
    parts = ".data .dbt_models .insight .org_tokens .orgs .sources .work"
    for name in ["", *parts.split()]:
        module = importlib.import_module(f"etlfabric_dagster.fabric{name}")
        for found in doctest.DocTestFinder().find(module, extraglobs=known):
            runner.run(found)
print(runner.tries, runner.failures)
"""


@pytest.fixture(scope="module")
def source(stack: Stack) -> Iterator[psycopg.Connection]:
    """A database with the tables on the server that the install may reach."""
    with psycopg.connect(stack.source.dsn(), autocommit=True) as server:
        server.execute("CREATE DATABASE tpch")
    with psycopg.connect(stack.source.dsn("tpch"), autocommit=True) as conn:
        conn.execute(Path(__file__).with_name("tpch.sql").read_bytes())
        yield conn


@pytest.fixture(scope="module")
def printed(stack: Stack, source: psycopg.Connection) -> str:
    """What the example printed."""
    config = {
        "dialect": "postgresql",
        "host": "127.0.0.1",
        "port": stack.source.port,
        "database": "tpch",
        "username": "postgres",
    }
    credentials = {"password": stack.source.superuser_password}
    return stack.python(EXAMPLE.format(config=config, credentials=credentials, model=MODEL))


def test_example_loads_every_row(printed: str, source: psycopg.Connection) -> None:
    counts = [source.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES]

    assert sum(row[0] for row in counts if row) == ROWS
    assert ast.literal_eval(printed) == ("succeeded", ROWS)


@pytest.fixture(scope="module")
def checksums(printed: str, stack: Stack, source: psycopg.Connection) -> dict[str, Any]:
    """Of each table as it was loaded: count and checksum, by the org's own query."""
    queries = {table: checksum(source, table, f"shop__{table}") for table in TABLES}
    script = (
        "import json\n"
        "from etlfabric_dagster import Fabric\n"
        "with Fabric.connect() as fabric:\n"
        "    acme = fabric.orgs.get('acme')\n"
        f"    queries = {queries!r}\n"
        "    print(json.dumps({t: acme.query(sql).rows[0] for t, sql in queries.items()}))\n"
    )
    return json.loads(stack.python(script))


@pytest.mark.parametrize("table", TABLES)
def test_counts_and_checksums_equal_the_source(
    table: str, checksums: dict[str, Any], source: psycopg.Connection
) -> None:
    expected = source.execute(checksum(source, table, table).encode()).fetchone()

    assert expected is not None
    assert checksums[table] == list(expected)


def checksum(source: psycopg.Connection, table: str, name: str) -> str:
    """A query for the count and a checksum over all columns that `table` has at the source."""
    columns = source.execute(
        "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0",
        (table,),
    ).fetchone()
    row = f"md5(row({columns[0] if columns else ''})::text)"
    return f"SELECT count(*), md5(string_agg({row}, '' ORDER BY {row})) FROM {name}"


def test_example_schedules_and_transforms(printed: str, stack: Stack) -> None:
    schedules = stack.cli("schedules", "list", "acme")["items"]
    run = stack.cli("runs", "start", "acme", "shop", "--wait")
    days = stack.cli("query", "acme", "select count(*), sum(orders) from daily_orders")["rows"]

    assert [(s["pipeline"], s["cron"], s["timezone"]) for s in schedules] == [
        ("shop", "*/15 * * * *", "Europe/Berlin")
    ]
    assert run["models"]["daily_orders"]["status"] == "success", json.dumps(run["models"])
    assert [[int(value) for value in row] for row in days] == [[2406, 15000]]


def test_up_leaves_every_mart_filled(stack: Stack) -> None:
    counts = ", ".join(f"(select count(*) from {mart})" for mart in MARTS)

    answer = stack.cli("query", "demo", f"select {counts}")

    assert all(int(count) > 0 for count in answer["rows"][0])


def test_first_runs_succeeded_and_loaded_every_row(stack: Stack) -> None:
    runs = stack.cli("runs", "list", "demo")["items"]

    by_pipeline = {run["pipeline"]: run for run in runs}  # the oldest of each
    assert {name: run["status"] for name, run in by_pipeline.items()} == {
        "shop": "succeeded",
        "marketing": "succeeded",
    }
    assert by_pipeline["shop"]["rows_loaded"] > 150_000
    warnings = [s["warnings"] for run in runs for s in run["streams"].values() if s["warnings"]]
    assert warnings == []


def test_run_after_new_orders_loads_only_them(stack: Stack) -> None:
    revenue = "select sum(revenue) from daily_orders"
    before = stack.cli("query", "demo", revenue)["rows"]

    added = stack.cli("demo", "add-orders", "--count", "7")
    run = stack.cli("runs", "start", "demo", "shop", "--wait")

    assert added == {"added": 7}
    # rows that share the cursor's last value are read again: those of the last load
    assert 7 <= run["streams"]["orders"]["rows"] <= 500
    assert run["streams"]["products"]["rows"] == 0
    assert stack.cli("query", "demo", revenue)["rows"] != before


def test_demo_was_loaded_by_the_supervisor(stack: Stack) -> None:
    state = StackState.read(stack.home.state)

    assert state is not None
    assert state.processes["demo"].state is State.DONE


def test_loading_the_demo_again_keeps_what_people_changed(stack: Stack) -> None:
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


def test_examples_of_fabric_do_what_they_say(stack: Stack) -> None:
    printed = stack.python(SCRIPT)

    tries, failures = map(int, printed.split()[-2:])
    assert tries > 60
    assert failures == 0, printed
