"""The run queue under two workers: nothing starts twice or is lost, late verdicts drop."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from sqlalchemy import delete, select, text, update

from etlfabric_dagster import queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    LeaseLostError,
    NotFoundError,
    OrgSuspendedError,
)
from etlfabric_dagster.models import Org, OrgTurn, Pipeline, Run
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.runs import (
    AttemptStatus,
    ErrorInfo,
    RunStatus,
    StreamResult,
    Trigger,
)
from etlfabric_dagster.services import execution, leases, orgs, runs, tenants
from etlfabric_dagster.services.scope import OPERATOR, org_scope


@pytest.fixture(autouse=True)
async def _empty_queue(migrated):
    async with get_session() as session:
        await session.execute(delete(Run))


async def add_pipeline(slug: str, name: str = "shop") -> UUID:
    async with org_scope(OPERATOR, slug) as scope:
        row = Pipeline(name=name, table_prefix="", schema_policy="evolve")
        scope.session.add(row)
        await scope.session.flush()
        return row.id


async def start(slug: str, name: str = "shop", **options) -> UUID:
    async with org_scope(OPERATOR, slug) as scope:
        return (await runs.start(scope, name, **options)).id


async def show(slug: str, run_id: UUID):
    async with org_scope(OPERATOR, slug) as scope:
        return await runs.get(scope, run_id)


async def expire(run_id: UUID) -> None:
    async with get_session() as session:
        await session.execute(
            update(Run).where(Run.id == run_id).values(lease_until=text("now() - interval '1s'"))
        )


async def test_claimed_run_is_running_with_an_attempt_of_the_same_id(org):
    await add_pipeline(org.slug)
    run_id = await start(org.slug)
    claimed = await leases.claim(run_id, "w1")
    assert claimed is not None
    assert (claimed.run_id, claimed.dagster_run_id, claimed.number) == (run_id, run_id, 1)
    shown = await show(org.slug, run_id)
    assert shown.status is RunStatus.RUNNING
    assert shown.attempts[0].status is AttemptStatus.RUNNING


async def test_second_run_of_a_pipeline_waits_for_the_first(org):
    await add_pipeline(org.slug)
    first, second = await start(org.slug), await start(org.slug)
    claimed = await leases.claim(first, "w1")
    assert claimed is not None
    assert await leases.claim(second, "w2") is None
    assert await leases.finish(claimed.run_id, claimed.token, RunStatus.SUCCEEDED, None)
    assert (await leases.claim(second, "w2")).run_id == second


async def test_many_workers_claim_each_run_once(org):
    for number in range(4):
        await add_pipeline(org.slug, f"p{number}")
        await start(org.slug, f"p{number}")
    async with get_session() as session:
        await session.execute(update(Org).where(Org.id == org.id).values(max_concurrent_runs=10))
    claims = await asyncio.gather(*(leases.claim(uuid4(), f"w{n}") for n in range(8)))
    got = [claimed.run_id for claimed in claims if claimed]
    assert len(got) == len(set(got))
    assert got


async def test_org_at_its_limit_lets_another_org_run(org, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    for number in range(3):
        await add_pipeline(org.slug, f"p{number}")
        await start(org.slug, f"p{number}")
    await add_pipeline(other.slug)
    theirs = await start(other.slug)
    first = await leases.claim(uuid4(), "w1")
    second = await leases.claim(uuid4(), "w1")
    assert (first.org_slug, second.run_id) == (org.slug, theirs)


async def test_run_with_a_known_fire_key_is_the_same_run(org):
    await add_pipeline(org.slug)
    assert await start(org.slug, fire_key="s:1") == await start(org.slug, fire_key="s:1")


async def test_verdict_sums_what_the_streams_loaded(org):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    result = StreamResult(rows=7, bytes=70)
    assert await leases.record(claimed.run_id, claimed.token, {"orders": result})
    assert await leases.record(claimed.run_id, claimed.token, {"items": result})
    assert await leases.finish(claimed.run_id, claimed.token, RunStatus.SUCCEEDED, None)
    shown = await show(org.slug, claimed.run_id)
    assert (shown.rows_loaded, shown.bytes_loaded) == (14, 140)
    assert set(shown.streams) == {"orders", "items"}


async def test_attempt_that_lost_its_lease_cannot_write(org):
    await add_pipeline(org.slug)
    old = await leases.claim(await start(org.slug), "frozen")
    await expire(old.run_id)
    (lost,) = await leases.expire_leases()
    assert lost.requeued
    new = await leases.claim(old.run_id, "w2")
    assert new.number == 2
    assert new.dagster_run_id != old.dagster_run_id
    assert not await leases.record(old.run_id, old.token, {"orders": StreamResult(rows=9)})
    assert not await leases.finish(old.run_id, old.token, RunStatus.SUCCEEDED, None)
    assert not (await leases.heartbeat(old.run_id, old.token)).alive
    assert await leases.finish(new.run_id, new.token, RunStatus.SUCCEEDED, None)
    statuses = [a.status for a in (await show(org.slug, old.run_id)).attempts]
    assert statuses == [AttemptStatus.LOST, AttemptStatus.SUCCEEDED]


async def test_run_whose_every_worker_was_lost_fails_with_a_remedy(org):
    await add_pipeline(org.slug)
    run_id = await start(org.slug)
    for _ in range(3):
        await leases.claim(run_id, "dies")
        await expire(run_id)
        await leases.expire_leases()
    shown = await show(org.slug, run_id)
    assert shown.status is RunStatus.FAILED
    assert "3 attempts" in shown.error.message
    assert shown.error.remedy


async def test_heartbeat_extends_the_lease_and_tells_of_a_cancel(org):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    assert (await leases.heartbeat(claimed.run_id, claimed.token)).alive
    async with org_scope(OPERATOR, org.slug) as scope:
        await runs.request_cancel(scope, claimed.run_id)
    assert (await leases.heartbeat(claimed.run_id, claimed.token)).cancel_requested


async def test_canceled_run_whose_worker_died_ends_canceled(org):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    async with org_scope(OPERATOR, org.slug) as scope:
        await runs.request_cancel(scope, claimed.run_id)
    await expire(claimed.run_id)
    await leases.expire_leases()
    assert (await show(org.slug, claimed.run_id)).status is RunStatus.CANCELED


@pytest.mark.parametrize("came_to", [RunStatus.SUCCEEDED, RunStatus.FAILED])
async def test_run_whose_cancel_no_heartbeat_saw_ends_canceled(org, came_to):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    async with org_scope(OPERATOR, org.slug) as scope:
        await runs.request_cancel(scope, claimed.run_id)
    error = ErrorInfo(message="m", remedy="r")
    ended = await leases.finish(claimed.run_id, claimed.token, came_to, error)
    assert ended is RunStatus.CANCELED
    shown = await show(org.slug, claimed.run_id)
    assert (shown.status, shown.error) == (RunStatus.CANCELED, None)
    assert [(one.status, one.error) for one in shown.attempts] == [(AttemptStatus.CANCELED, None)]


async def test_queued_run_is_canceled_at_once_and_never_claimed(org):
    await add_pipeline(org.slug)
    run_id = await start(org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await runs.request_cancel(scope, run_id)).status is RunStatus.CANCELED
    assert await leases.claim(run_id, "w1") is None


async def test_cancel_of_finished_run_is_refused(org):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    error = ErrorInfo(message="m", remedy="r")
    await leases.finish(claimed.run_id, claimed.token, RunStatus.FAILED, error)
    with pytest.raises(ConflictError, match="already failed"):
        async with org_scope(OPERATOR, org.slug) as scope:
            await runs.request_cancel(scope, claimed.run_id)


async def test_retry_of_a_failed_run_is_a_new_run(org):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "w1")
    with pytest.raises(ConflictError):
        async with org_scope(OPERATOR, org.slug) as scope:
            await runs.retry(scope, claimed.run_id)
    await leases.finish(claimed.run_id, claimed.token, RunStatus.FAILED, None)
    async with org_scope(OPERATOR, org.slug) as scope:
        again = await runs.retry(scope, claimed.run_id)
    assert again.id != claimed.run_id
    assert again.trigger == "retry"


async def test_suspended_org_starts_nothing(org):
    await add_pipeline(org.slug)
    queued = await start(org.slug)
    await orgs.suspend(OPERATOR, org.slug)
    assert (await show(org.slug, queued)).status is RunStatus.CANCELED
    with pytest.raises(OrgSuspendedError):
        await start(org.slug)


async def test_run_of_another_org_reads_like_a_missing_one(org, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await add_pipeline(org.slug)
    run_id = await start(org.slug)
    with pytest.raises(NotFoundError):
        await show(other.slug, run_id)


async def test_runs_are_listed_newest_first_in_pages(org):
    await add_pipeline(org.slug)
    ids = [await start(org.slug) for _ in range(5)]
    async with org_scope(OPERATOR, org.slug) as scope:
        page = await runs.list_runs(scope, limit=3)
        rest = await runs.list_runs(scope, limit=3, cursor=page.next)
    assert [run.id for run in (*page.items, *rest.items)] == ids[::-1]
    assert rest.next is None


async def test_runs_are_listed_by_what_started_them(org):
    await add_pipeline(org.slug)
    await start(org.slug)
    by_api = await start(org.slug, trigger=Trigger.API)
    async with org_scope(OPERATOR, org.slug) as scope:
        page = await runs.list_runs(scope, trigger=Trigger.API)
    assert [run.id for run in page.items] == [by_api]


@pytest.fixture
def broker(migrated):
    """The broker, with nothing waiting in it."""
    with redis.Redis.from_url(migrated.redis) as client:
        client.delete(queue.RUNS)
        yield client


async def make_stale(*run_ids: UUID) -> None:
    old = text("now() - interval '1 minute'")
    async with get_session() as session:
        await session.execute(update(Run).where(Run.id.in_(run_ids)).values(rung_at=old))


async def test_nobody_rings_while_enough_doorbells_wait(org, broker, monkeypatch):
    monkeypatch.setattr(leases, "MAX_UNHEARD", 1)
    for name in ("shop", "crm"):
        await add_pipeline(org.slug, name)
        await make_stale(await start(org.slug, name))
    assert broker.llen(queue.RUNS) == 2
    assert await leases.ring_stale() == 0
    broker.flushall()
    assert await leases.ring_stale() == 1
    assert broker.llen(queue.RUNS) == 1
    assert await leases.ring_stale() == 0


async def test_org_is_rung_for_as_often_as_it_may_start_runs(org, broker):
    for number in range(4):
        await add_pipeline(org.slug, f"p{number}")
    run_ids = [await start(org.slug, f"p{number}") for number in range(4)]
    broker.flushall()
    await make_stale(*run_ids)
    assert await leases.ring_stale() == org.max_concurrent_runs == 2
    await leases.claim(run_ids[0], "w1")
    await make_stale(*run_ids)
    assert await leases.ring_stale() == 1
    await leases.claim(run_ids[1], "w1")
    await make_stale(*run_ids)
    assert await leases.ring_stale() == 0


async def test_worker_frozen_inside_a_transaction_does_not_keep_its_run(org, monkeypatch):
    await add_pipeline(org.slug)
    claimed = await leases.claim(await start(org.slug), "frozen")
    await expire(claimed.run_id)
    monkeypatch.setattr(settings, "lease_s", 0.05)
    with psycopg.connect(settings.database.render_as_string(hide_password=False)) as frozen:
        frozen.execute("SELECT * FROM runs WHERE id = %s FOR UPDATE", (claimed.run_id,))
        lost = []
        while not lost:
            lost = await leases.expire_leases()
        assert lost[0].run_id == claimed.run_id
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("SELECT 1")


async def test_login_is_not_taken_from_a_newer_attempt(org):
    pipeline_id = await add_pipeline(org.slug)
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
    old = await leases.claim(await start(org.slug), "frozen")
    await expire(old.run_id)
    await leases.expire_leases()
    new = await leases.claim(old.run_id, "w2")
    warehouse = await execution.fence(new)
    with pytest.raises(LeaseLostError):
        await execution.fence(old)
    with connect_as(warehouse) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


async def test_login_cannot_be_used_by_the_attempt_before(org):
    pipeline_id = await add_pipeline(org.slug)
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
    old = await leases.claim(await start(org.slug), "lost")
    before = await execution.fence(old)
    with connect_as(before) as writer:
        writer.execute(f'CREATE TABLE "{before.raw}".t (n int)')
        await expire(old.run_id)
        await leases.expire_leases()
        await execution.fence(await leases.claim(old.run_id, "w2"))
        with pytest.raises(psycopg.OperationalError):
            writer.commit()
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect_as(before)


def connect_as(login: Warehouse) -> psycopg.Connection:
    facts = {"host": login.host, "port": login.port, "dbname": login.database}
    return psycopg.connect(user=login.username, password=login.password, **facts)


async def test_stale_run_is_rung_again(org, broker):
    await add_pipeline(org.slug)
    run_id = await start(org.slug)
    assert await leases.ring_stale() == 0
    await make_stale(run_id)
    assert await leases.ring_stale() == 1


async def set_org(slug: str, **values) -> None:
    async with get_session() as session:
        await session.execute(update(Org).where(Org.slug == slug).values(**values))


async def claim_in_turn(count: int) -> list[str]:
    """The orgs that one worker with one slot serves, one after the other."""
    served = []
    for _ in range(count):
        claimed = await leases.claim(uuid4(), "w1")
        assert claimed is not None
        served.append(claimed.org_slug)
        await leases.finish(claimed.run_id, claimed.token, RunStatus.SUCCEEDED, None)
    return served


async def queue_runs(slug: str, count: int) -> None:
    await add_pipeline(slug)
    for _ in range(count):
        await start(slug)


async def test_run_of_another_org_does_not_wait_for_a_long_queue(org, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await queue_runs(org.slug, 8)
    assert set(await claim_in_turn(3)) == {org.slug}
    await queue_runs(other.slug, 1)
    assert other.slug in await claim_in_turn(2)


async def test_orgs_share_one_slot_by_weight(org, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await set_org(org.slug, weight=3)
    await queue_runs(org.slug, 8)
    await queue_runs(other.slug, 8)
    served = await claim_in_turn(8)
    assert 5 <= served.count(org.slug) <= 7


async def test_idle_org_saves_no_turns_up(org, make_slug):
    idle = await orgs.create(OPERATOR, make_slug(), "Idle")
    await queue_runs(org.slug, 12)
    await claim_in_turn(6)
    await queue_runs(idle.slug, 6)
    served = await claim_in_turn(6)
    assert abs(served.count(idle.slug) - 3) <= 1


async def test_workers_that_claim_at_once_keep_to_the_orgs_limit(org):
    for number in range(6):
        await add_pipeline(org.slug, f"p{number}")
        await start(org.slug, f"p{number}")
    claims = await asyncio.gather(*(leases.claim(uuid4(), f"w{n}") for n in range(6)))
    assert sum(claimed is not None for claimed in claims) == org.max_concurrent_runs


async def one_at_work_beside(org, make_slug) -> str:
    """Another org that has just run; the first one queues two pipelines, of which one runs."""
    async with get_session() as session:
        await session.execute(update(OrgTurn).values(claimed_at=None))
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await queue_runs(other.slug, 1)
    assert await claim_in_turn(1) == [other.slug]
    for name in ("shop", "crm"):
        await add_pipeline(org.slug, name)
        await start(org.slug, name)
    assert await leases.claim(uuid4(), "w1", slots=2)
    return other.slug


async def test_last_free_slot_waits_for_an_org_that_runs_nothing(org, make_slug):
    other = await one_at_work_beside(org, make_slug)
    assert await leases.claim(uuid4(), "w2", slots=2) is None
    await start(other)
    claimed = await leases.claim(uuid4(), "w2", slots=2)
    assert claimed is not None
    assert claimed.org_slug == other


@pytest.mark.parametrize("slots", [0, 1, 3], ids=["unknown", "one", "three"])
async def test_only_the_last_of_several_slots_is_kept(org, make_slug, slots):
    await one_at_work_beside(org, make_slug)
    assert await leases.claim(uuid4(), "w2", slots=slots) is not None


async def test_org_that_works_alone_has_every_slot(org, make_slug):
    other = await one_at_work_beside(org, make_slug)
    async with get_session() as session:
        of_other = select(Org.id).where(Org.slug == other).scalar_subquery()
        an_hour_ago = text("now() - interval '1 hour'")
        await session.execute(
            update(OrgTurn).where(OrgTurn.org_id == of_other).values(claimed_at=an_hour_ago)
        )
    assert await leases.claim(uuid4(), "w2", slots=2) is not None
