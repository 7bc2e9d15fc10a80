"""The whole line with real processes: source → raw → staging → mart, as a Dagster run by Celery."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import update

from etlfabric_dagster import clock, storage
from etlfabric_dagster.config import Settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Schedule
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunOut
from etlfabric_dagster.services import (
    connections,
    dbt_models,
    orgs,
    pipelines,
    runs,
    schedules,
    tenants,
)
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.tasks import heartbeats

T = TypeVar("T")

PATIENCE_S = 200
TASKS_PER_CHILD = 6
DAILY = """select updated_at::date as day, count(*) as orders, sum(amount) as amount
from {{ ref('stg_orders') }} group by 1"""


async def until(look: Callable[[], Awaitable[T | None]], what: str, log: Path) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(0.05)
    said = await asyncio.to_thread(log.read_text)
    raise AssertionError(f"{what} never came; the workers said:\n{said[-4000:]}")


async def ended(org: OrgOut, run: RunOut, log: Path) -> RunOut:
    async def look() -> RunOut | None:
        async with org_scope(OPERATOR, org.slug) as scope:
            found = await runs.get(scope, run.id)
        return found if found.status.is_final else None

    return await until(look, "the end of the run", log)


async def start(org: OrgOut, pipeline: str = "shop") -> RunOut:
    async with org_scope(OPERATOR, org.slug) as scope:
        return await runs.start(scope, pipeline)


async def query(org: OrgOut, sql: str) -> list[tuple[object, ...]]:
    """As the tenant's read-only login."""
    login = await tenants.reader_warehouse(org.id)
    facts = {"host": login.host, "port": login.port, "dbname": login.database}
    with psycopg.connect(user=login.username, password=login.password, **facts) as conn:  # type: ignore[arg-type]
        conn.execute(f"SET search_path = {login.marts}, {login.staging}, {login.raw}")
        return conn.execute(sql).fetchall()


@pytest.fixture(scope="module")
async def shop(workers: Path, source: str, migrated: Settings) -> OrgOut:
    """An org that loads two tables and builds a mart on one of them."""
    org = await orgs.create(OPERATOR, "worker_shop", "Shop")
    facts = conninfo_to_dict(source)
    config = {
        "dialect": "postgresql",
        "host": facts["host"],
        "port": int(facts["port"]),
        "database": facts.get("dbname", "postgres"),
        "username": facts["user"],
        "tls": "prefer",
    }
    async with org_scope(OPERATOR, org.slug) as scope:
        secrets = {"password": facts["password"]}
        await connections.create(scope, "shop", "sql_database", config, secrets)
    await pipelines.create(OPERATOR, org.slug, "shop", connection="shop")
    await dbt_models.put(OPERATOR, org.slug, "marts/daily_orders.sql", DAILY)
    return org


@pytest.fixture(scope="module")
def dagster(migrated: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(migrated) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
async def first(shop: OrgOut, workers: Path) -> tuple[RunOut, list[tuple[object, ...]]]:
    """The first run and what the mart holds after it: before every test, whatever their order."""
    run = await ended(shop, await start(shop), workers)
    return run, await query(shop, "select sum(orders), sum(amount) from daily_orders")


async def test_the_first_run_fills_the_marts(
    shop: OrgOut, first: tuple[RunOut, list[tuple[object, ...]]], dagster: dg.DagsterInstance
) -> None:
    run, mart_rows = first
    assert run.error is None
    assert {name: s.rows for name, s in run.streams.items()} == {"customers": 20, "orders": 500}
    assert mart_rows == [(500, 156562.5)]
    recorded = dagster.get_run_by_id(str(run.id))
    assert recorded
    assert recorded.status is dg.DagsterRunStatus.SUCCESS
    mart = dg.AssetKey([shop.slug, "marts", "daily_orders"])
    event = dagster.get_latest_materialization_event(mart)
    assert event
    lines, _ = storage.read_log(shop.id, run.id)
    assert any("daily_orders" in (line.subject or "") for line in lines)


async def test_a_second_run_loads_only_what_is_new(
    shop: OrgOut, workers: Path, source: str
) -> None:
    await ended(shop, await start(shop), workers)
    with psycopg.connect(source) as conn:
        conn.execute("INSERT INTO orders VALUES (501, 1, 10, now())")
    run = await ended(shop, await start(shop), workers)
    assert run.error is None
    assert run.streams["orders"].rows <= 2  # the row at the cursor comes again
    assert await query(shop, "select sum(orders) from daily_orders") == [(501,)]
    with psycopg.connect(source) as conn:
        conn.execute("DELETE FROM orders WHERE id = 501")
    assert run.duration_s is not None


async def test_a_model_that_does_not_run_fails_the_run_with_its_place(
    shop: OrgOut, workers: Path
) -> None:
    broken = "select 1 / (count(*) - count(*)) as x from {{ ref('daily_orders') }}"
    await dbt_models.put(OPERATOR, shop.slug, "marts/broken.sql", broken)
    try:
        run = await ended(shop, await start(shop), workers)
    finally:
        await dbt_models.delete(OPERATOR, shop.slug, "marts/broken.sql")
    assert run.status == "failed"
    assert run.error
    assert "broken" in run.error.message
    assert run.error.remedy
    assert run.models["daily_orders"].status == "success"


async def test_a_due_schedule_runs_without_anybody_asking(shop: OrgOut, workers: Path) -> None:
    async with org_scope(OPERATOR, shop.slug) as scope:
        await schedules.set_schedule(scope, "shop", cron="0 0 1 1 *")
    async with get_session() as session:
        statement = update(Schedule).where(Schedule.org_id == shop.id)
        await session.execute(statement.values(next_fire_at=clock.now()))

    async def look() -> RunOut | None:
        async with org_scope(OPERATOR, shop.slug) as scope:
            found = await runs.list_runs(scope)
        fired = [run for run in found.items if run.trigger == "schedule"]
        return fired[0] if fired else None

    run = await ended(shop, await until(look, "the scheduled run", workers), workers)
    assert run.error is None


async def test_a_wiped_broker_loses_no_run(shop: OrgOut, workers: Path, broker: object) -> None:
    run = await start(shop)
    broker.flushall()  # type: ignore[attr-defined]
    assert (await ended(shop, run, workers)).status == "succeeded"


async def test_the_clock_says_that_it_lives(workers: Path) -> None:
    async def look() -> str | None:
        return heartbeats.last("scheduler")

    assert await until(look, "the scheduler's sign of life", workers)


async def reading(org: OrgOut, run: RunOut, log: Path) -> RunOut:
    """The run, once its worker waits for the source."""

    async def look() -> RunOut | None:
        async with org_scope(OPERATOR, org.slug) as scope:
            found = await runs.get(scope, run.id)
        lines, _ = await asyncio.to_thread(storage.read_log, org.id, run.id)
        loads = any(line.message.startswith("Loading") for line in lines)
        return found if loads and found.attempts else None

    return await until(look, "the load", log)


async def test_a_killed_worker_is_followed_by_another_attempt(
    shop: OrgOut, workers: Path, source: str, dagster: dg.DagsterInstance
) -> None:
    with psycopg.connect(source) as blocker:
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = await reading(shop, await start(shop), workers)
        killed = int(run.attempts[0].worker.rpartition(":")[2])
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()

        async def lost() -> bool | None:
            async with org_scope(OPERATOR, shop.slug) as scope:
                found = await runs.get(scope, run.id)
            return found.attempts[0].status == "lost" or None

        await until(lost, "the reconciler", workers)
        assert time.monotonic() - began < 30
    run = await ended(shop, run, workers)
    assert run.error is None
    assert [a.status for a in run.attempts][0] == "lost"
    assert run.attempts[-1].status == "succeeded"
    first = dagster.get_run_by_id(str(run.id))
    assert first
    assert first.status is dg.DagsterRunStatus.FAILURE
    ((rows, keys),) = await query(shop, "select count(*), count(distinct id) from shop__orders")
    assert rows == keys, "an order was loaded twice"


async def test_a_run_that_waits_for_its_source_is_canceled_at_once(
    shop: OrgOut, workers: Path, source: str, dagster: dg.DagsterInstance
) -> None:
    with psycopg.connect(source) as blocker:
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = await reading(shop, await start(shop), workers)
        async with org_scope(OPERATOR, shop.slug) as scope:
            await runs.request_cancel(scope, run.id)
        run = await ended(shop, run, workers)
    assert (run.status, run.error) == ("canceled", None)
    recorded = dagster.get_run_by_id(str(run.id))
    assert recorded
    assert recorded.status is dg.DagsterRunStatus.CANCELED


async def test_people_do_not_wait_behind_loads(shop: OrgOut, workers: Path, source: str) -> None:
    with psycopg.connect(source) as blocker:
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = await reading(shop, await start(shop), workers)  # the only slot for runs is taken
        assert (await connections.check(OPERATOR, shop.slug, "shop")).ok
        found = await connections.discover(OPERATOR, shop.slug, "shop")
        assert {stream.name for stream in found.streams} >= {"customers", "orders"}
        preview = await dbt_models.preview(OPERATOR, shop.slug, "marts/daily_orders.sql")
        assert preview.rows
        async with org_scope(OPERATOR, shop.slug) as scope:
            assert (await runs.get(scope, run.id)).status == "running"
            await runs.request_cancel(scope, run.id)
        await ended(shop, run, workers)


async def test_a_child_that_did_its_share_is_replaced_and_loses_nothing(
    shop: OrgOut, workers: Path
) -> None:
    quick = {"connection": "shop", "table_prefix": "again__", "models": "path:none"}
    await pipelines.create(OPERATOR, shop.slug, "raw_only", **quick)
    async with org_scope(OPERATOR, shop.slug) as scope:
        queued = [await runs.start(scope, "raw_only") for _ in range(TASKS_PER_CHILD + 1)]
    done = [await ended(shop, run, workers) for run in queued]
    assert {(run.status, len(run.attempts)) for run in done} == {("succeeded", 1)}
    assert len({run.attempts[0].worker for run in done}) >= 2


async def test_the_worker_for_runs_says_how_many_it_executes_at_a_time(workers: Path) -> None:
    async def look() -> int | None:
        return sum(map(int, heartbeats.hosts(heartbeats.SLOTS).values())) or None

    assert await until(look, "the worker's slots", workers) >= 1
