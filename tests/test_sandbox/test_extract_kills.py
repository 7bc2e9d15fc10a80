"""kill -9 in the middle of a load: nothing half-loaded, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from etlfabric_dagster.db import get_session
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import SandboxError
from etlfabric_dagster.sandbox import catalog
from etlfabric_dagster.sandbox.client import Call
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from etlfabric_dagster.services import tenants
from etlfabric_dagster.testing import SandboxServer
from tests.test_sandbox.bench import ALL, Bench, orders, plan

OLD = [(1, "a", 1), (2, "b", 2)]
NEW = [(1, "a", 1), (2, "b", 2), (3, "c", 3), (4, "d", 4)]
PLANS = {
    "full": plan(LoadMode.FULL),
    "incremental": plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",)),
    "append": plan(LoadMode.APPEND, cursor="at"),
    "scd2": plan(LoadMode.SCD2, primary_key=("id",)),
}
# Where the load stands when it dies: before its rows are staged, before they reach the raw table,
# and after they did but before the load is noted as done.
PLACES = {"staging": "shop__orders", "raw": "shop__orders", "done": "_dlt_loads"}


@contextmanager
def stuck(cluster: PostgresCluster, bench: Bench, place: str) -> Iterator[psycopg.Connection]:
    """A lock on which the load waits at `place`; the fence ends its backends before it opens."""
    schema = bench.warehouse.raw_staging if place == "staging" else bench.warehouse.raw
    dsn = cluster.dsn("etlfabric")
    # two connections: inside a transaction pg_stat_activity never changes
    with psycopg.connect(dsn) as lock, psycopg.connect(dsn, autocommit=True) as watch:
        # ROW EXCLUSIVE conflicts with SHARE, reading does not: only the write waits
        lock.execute(f"LOCK TABLE {schema}.{PLACES[place]} IN SHARE MODE")
        yield watch
        watch.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [bench.warehouse.username],
        )


@retry(stop=stop_after_delay(10), wait=wait_fixed(0.02), retry=retry_if_result(lambda ok: not ok))
def wait_until_stuck(conn: psycopg.Connection, username: str) -> bool:
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'",
        [username],
    ).fetchone()
    return bool(row and row[0])


def kill_there(cluster: PostgresCluster, bench: Bench, place: str, *job: Any) -> None:
    """Start the load, wait until it stands at `place`, kill it."""
    bench.conn.close()
    with stuck(cluster, bench, place) as conn:
        call = bench.sandbox.client.call(bench.job(*job))
        reader = threading.Thread(target=drain, args=(call,))
        reader.start()
        wait_until_stuck(conn, bench.warehouse.username)
        call.close()
        reader.join()
    bench.conn = catalog.connect(bench.warehouse)
    bench.state = None  # the platform forgets the cached state of a failed attempt


def drain(call: Call) -> None:
    """Read until the call is closed; what it said shows in a failure's output."""
    try:
        for event in call:
            print(event)
    except SandboxError as exc:
        print(exc)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", PLANS)
def test_a_killed_load_is_repeated_exactly(
    bench: Bench, cluster: PostgresCluster, mode: str, place: str
) -> None:
    stream: StreamPlan = PLANS[mode]
    bench.run(orders(*OLD[:1], form="csv"), stream)
    warehouse = bench.warehouse  # a view, as dbt makes one: the rows must be replaced under it
    bench.conn.execute(
        f"CREATE VIEW {warehouse.staging}.orders AS SELECT id FROM {warehouse.raw}.shop__orders"
    )
    bench.run(orders(*OLD, form="csv"), stream)
    for _ in range(2):
        kill_there(cluster, bench, place, orders(*NEW, form="csv", files=2), stream)
        assert bench.rows(ALL) == (OLD if place != "done" else NEW)
    bench.run(orders(*NEW, form="csv", files=2), stream)
    assert bench.rows(ALL) == NEW


def test_nested_rows_of_a_killed_append_are_removed(bench: Bench, cluster: PostgresCluster) -> None:
    stream = PLANS["append"]

    def config(*ids: int) -> dict[str, Any]:
        rows = [{"id": i, "name": "n", "at": i, "tags": [{"t": "x"}, {"t": "y"}]} for i in ids]
        return {"orders": {"rows": rows}}

    bench.run(config(1), stream)
    bench.run(config(1, 2), stream)
    kill_there(cluster, bench, "done", config(1, 2, 3), stream)
    bench.run(config(1, 2, 3), stream)
    assert bench.rows("SELECT id FROM shop__orders ORDER BY id") == [(1,), (2,), (3,)]
    assert bench.rows("SELECT count(*) FROM shop__orders__tags") == [(6,)]


def test_a_child_that_dies_while_reading_leaves_nothing(bench: Bench) -> None:
    stream = PLANS["append"]
    bench.run(orders(*OLD), stream)
    for _ in range(3):
        with pytest.raises(SandboxError):
            bench.run(orders(*NEW, after="die"), stream)
        assert bench.rows(ALL) == OLD
    bench.run(orders(*NEW), stream)
    assert bench.rows(ALL) == NEW


@pytest.mark.parametrize("place", PLACES)
async def test_a_live_writer_whose_login_was_taken_writes_nothing_more(
    org: OrgOut, sandbox: SandboxServer, cluster: PostgresCluster, place: str
) -> None:
    pipeline_id = uuid4()
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
    old = Bench(sandbox, await taken(org, pipeline_id))
    stream = PLANS["incremental"]
    for rows in (OLD[:1], OLD):
        await asyncio.to_thread(old.run, orders(*rows, form="csv"), stream)
    said: list[Exception] = []

    def load() -> None:
        try:
            old.run(orders(*NEW, form="csv"), stream, cached=False)
        except SandboxError as exc:
            said.append(exc)

    old.conn.close()
    with stuck(cluster, old, place) as watch:
        zombie = threading.Thread(target=load)
        zombie.start()
        await asyncio.to_thread(wait_until_stuck, watch, old.warehouse.username)
        login = await taken(org, pipeline_id)
        await asyncio.to_thread(zombie.join)
    assert said, "the writer was not stopped"
    new = Bench(sandbox, login)
    assert new.rows(ALL) == (OLD if place != "done" else NEW)
    with pytest.raises(SandboxError, match="refused this attempt's login"):
        await asyncio.to_thread(old.run, orders(*NEW, form="csv"), stream, cached=False)
    await asyncio.to_thread(new.run, orders(*NEW, form="csv"), stream)
    assert new.rows(ALL) == NEW
    new.conn.close()


async def taken(org: OrgOut, pipeline_id: UUID) -> Warehouse:
    """The login as a new attempt takes it: a fresh password, and an end to who used the old one."""
    async with get_session() as session:
        password = await tenants.rotate_pipeline_login(session, org.id, pipeline_id)
    async with get_session() as session:
        await tenants.end_pipeline_backends(session, org.id, pipeline_id)
    return tenants.warehouse(org.id, tenants.pipeline_login(org.id, pipeline_id), password)
