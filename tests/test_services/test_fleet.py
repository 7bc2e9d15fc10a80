"""The whole fleet: counted in one query, created by a list that may be given twice."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event, text

from etlfabric_dagster.db import engine, get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, PermissionDeniedError
from etlfabric_dagster.models import Run
from etlfabric_dagster.schemas.fleet import ConnectionSpec, OrgSpec, PipelineSpec, ScheduleSpec
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import fleet, orgs, schedules
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope

SHOP = {"dialect": "postgresql", "host": "127.0.0.1", "database": "shop", "username": "reader"}


async def add_run(org, status: str, *, queued: str = "0", ended: str | None = None) -> None:
    async with get_session() as session:
        session.add(
            Run(
                org_id=org.id,
                pipeline_id=org.id,
                pipeline_name="shop",
                trigger="manual",
                status=status,
                max_attempts=3,
                created_by="test",
                created_at=text(f"now() - interval '{queued}'"),
                finished_at=text(f"now() - interval '{ended}'") if ended else None,
            )
        )


async def health(org):
    found = await fleet.status(OPERATOR)
    return next(item for item in found.items if item.slug == org.slug)


async def test_org_that_never_ran_has_no_freshness(org):
    found = await health(org)
    assert (found.freshness_s, found.failures, found.queued, found.lag_s) == (None, 0, 0, 0)


async def test_freshness_failures_and_waiting_are_told(org):
    await add_run(org, "succeeded", queued="2 hours", ended="90 minutes")
    await add_run(org, "failed", queued="2 hours", ended="1 hour")
    await add_run(org, "failed", queued="3 days", ended="2 days")
    await add_run(org, "queued", queued="10 minutes")
    found = await health(org)
    assert found.freshness_s == pytest.approx(90 * 60, abs=60)
    assert found.queue_s == pytest.approx(10 * 60, abs=60)
    assert (found.failures, found.queued, found.running) == (1, 1, 0)


async def test_org_in_trouble_comes_first(org, make_slug):
    calm = await orgs.create(OPERATOR, make_slug(), "Calm")
    for _ in range(50):
        await add_run(org, "failed", queued="1 hour", ended="1 hour")
    listed = [item.slug for item in (await fleet.status(OPERATOR)).items]
    assert listed.index(org.slug) < listed.index(calm.slug)


async def test_worst_orgs_are_shown_and_all_are_counted(org, make_slug):
    await orgs.create(OPERATOR, make_slug(), "Another")
    whole = await fleet.status(OPERATOR)
    worst = await fleet.status(OPERATOR, limit=1)
    assert [one.slug for one in worst.items] == [whole.items[0].slug]
    assert worst.totals.orgs == len(whole.items) > 1


async def test_status_asks_once_however_many_orgs(org, make_slug):
    await orgs.create(OPERATOR, make_slug(), "Another")
    asked: list[str] = []
    listened = engine().sync_engine

    def count(conn, cursor, statement, *_: object) -> None:
        asked.append(statement)

    event.listen(listened, "before_cursor_execute", count)
    try:
        await fleet.status(OPERATOR)
    finally:
        event.remove(listened, "before_cursor_execute", count)
    assert len(asked) == 1


async def test_only_operators_see_or_create_many(org):
    with pytest.raises(PermissionDeniedError):
        await fleet.status(Actor("ana"))
    with pytest.raises(PermissionDeniedError):
        await fleet.create_many(Actor("ana"), [])


async def test_list_given_twice_creates_once_and_completes_what_is_missing(migrated, make_slug):
    slug, bare = make_slug(), make_slug()
    await orgs.create(OPERATOR, slug, "Interrupted")
    facts = {"connector": "sql_database", "config": SHOP, "secrets": {"password": "pw"}}
    connection = ConnectionSpec.model_validate({"name": "shop", **facts})
    specs = [
        OrgSpec(slug=slug, name="Interrupted", connection=connection),
        OrgSpec(slug=bare, name="Bare"),
    ]
    seen: list[str] = []
    first = await fleet.create_many(OPERATOR, specs, seen.append)
    assert set(first.created) == set(seen) == {slug, bare}
    again = await fleet.create_many(OPERATOR, specs)
    assert (set(again.existing), again.created, again.failed) == ({slug, bare}, (), ())


async def test_org_that_fails_stops_no_other(migrated, make_slug):
    good = make_slug()
    broken = ConnectionSpec(name="shop", connector="no_such_connector")
    specs = [
        OrgSpec(slug=make_slug(), name="Broken", connection=broken),
        OrgSpec(slug=good, name="Good"),
    ]
    report = await fleet.create_many(OPERATOR, specs)
    assert report.created == (good,)
    (failed,) = report.failed
    assert "no_such_connector" in failed.message
    assert failed.remedy


@pytest.mark.usefixtures("interactive_worker")
async def test_pipeline_and_schedule_come_with_the_org(make_slug):
    slug = make_slug()
    spec = OrgSpec(
        slug=slug,
        name="Whole",
        pipeline=PipelineSpec(name="report", models="path:models/marts"),
        schedule=ScheduleSpec(cron="0 6 * * *", timezone="Europe/Berlin"),
    )
    report = await fleet.create_many(OPERATOR, [spec])
    if report.failed:
        raise AssertionError(report.failed[0].message)
    async with org_scope(OPERATOR, slug) as scope:
        assert (await schedules.get(scope, "report")).cron == "0 6 * * *"


async def test_an_org_that_two_people_create_at_once_is_one_org(migrated, make_slug):
    slug = make_slug()
    asked = (orgs.create(OPERATOR, slug, "Twice") for _ in range(2))
    ends = await asyncio.gather(*asked, return_exceptions=True)
    made = [end for end in ends if isinstance(end, OrgOut)]
    assert {org.id for org in made} == {(await orgs.get(OPERATOR, slug)).id}
    assert all(isinstance(end, ConflictError) for end in ends if end not in made)


async def test_orgs_created_at_once_do_not_disturb_each_other(migrated, make_slug):
    specs = [OrgSpec(slug=make_slug(), name="Same moment") for _ in range(4)]
    report = await fleet.create_many(OPERATOR, specs)
    assert len(report.created) == 4


async def test_limits_are_set_and_bad_ones_refused(org):
    changed = await orgs.set_limits(OPERATOR, org.slug, max_concurrent_runs=5, weight=3)
    assert (changed.max_concurrent_runs, changed.weight) == (5, 3)
    kept = await orgs.set_limits(OPERATOR, org.slug, weight=2)
    assert (kept.max_concurrent_runs, kept.weight) == (5, 2)
    with pytest.raises(InvalidInputError, match="weight 0"):
        await orgs.set_limits(OPERATOR, org.slug, weight=0)
