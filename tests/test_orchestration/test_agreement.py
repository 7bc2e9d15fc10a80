"""Dagster's record and ours are made to disagree in every way, and agree after one tick."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product
from uuid import UUID, uuid4

import dagster as dg
import pytest
from sqlalchemy import delete, select, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, RunAttempt
from etlfabric_dagster.orchestration import agreement, repositories
from etlfabric_dagster.orchestration.agreement import agree
from etlfabric_dagster.schemas.orgs import OrgOut

D = dg.DagsterRunStatus
ALL = [status for status in D if status is not D.MANAGED]
WITHIN_S = 600
SAID = {"succeeded": D.SUCCESS, "failed": D.FAILURE, "lost": D.FAILURE, "canceled": D.CANCELED}


@pytest.fixture(autouse=True)
async def _empty(migrated: object, instance: dg.DagsterInstance) -> None:
    async with get_session() as session:
        await session.execute(delete(Run))
    for run in instance.get_runs():
        instance.delete_run(run.run_id)


def in_dagster(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> UUID:
    """A record of Dagster's alone."""
    run_id = uuid4()
    origin = repositories.job_origin("acme", "shop")
    made = dg.DagsterRun("shop", str(run_id), status=status, remote_job_origin=origin)
    instance.add_run(made)
    return run_id


async def ours(
    org: OrgOut, run_id: UUID, status: str, attempt: str | None = None, *, days_ago: int = 0
) -> None:
    """Our rows: a run that Dagster launched, with one attempt or none."""
    at = clock.now() - timedelta(days=days_ago)
    ended = None if status in ("queued", "running") else at
    run = Run(
        id=run_id,
        org_id=org.id,
        pipeline_id=uuid4(),
        pipeline_name="shop",
        trigger="dagster",
        status=status,
        attempt=int(attempt is not None),
        max_attempts=3,
        created_by="test",
        finished_at=ended,
    )
    async with get_session() as session:
        session.add(run)
        await session.flush()
        if attempt:
            session.add(
                RunAttempt(
                    run_id=run_id,
                    number=1,
                    dagster_run_id=run_id,
                    status=attempt,
                    worker="w",
                    finished_at=None if attempt == "running" else at,
                )
            )


def status_of(instance: dg.DagsterInstance, run_id: UUID) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(str(run_id))
    assert run
    return run.status


async def tick(instance: dg.DagsterInstance) -> int:
    return await asyncio.to_thread(agree, instance, WITHIN_S)


async def test_whatever_dagster_says_of_an_ended_attempt_our_verdict_counts(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    cases = {}
    for verdict, said in product(SAID, ALL):
        run_id = in_dagster(instance, said)
        await ours(org, run_id, "failed" if verdict == "lost" else verdict, verdict)
        cases[run_id] = verdict
    assert await tick(instance) == len(cases) - len(SAID)
    assert {one: status_of(instance, one) for one in cases} == {
        one: SAID[verdict] for one, verdict in cases.items()
    }
    assert await tick(instance) == 0


async def test_a_canceled_run_whose_worker_was_lost_is_canceled_in_both(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    found = [in_dagster(instance, said) for said in ALL]
    for run_id in found:
        await ours(org, run_id, "canceled", "lost")
    await tick(instance)
    assert {status_of(instance, run_id) for run_id in found} == {D.CANCELED}


async def test_a_launch_that_was_canceled_in_the_queue_ends_in_dagster(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    run_id = in_dagster(instance, D.QUEUED)
    await ours(org, run_id, "canceled")
    assert await tick(instance) == 1
    assert status_of(instance, run_id) is D.CANCELED


async def test_an_open_record_of_an_attempt_that_ended_long_ago_is_ended(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    run_id = in_dagster(instance, D.STARTED)
    await ours(org, run_id, "succeeded", "succeeded", days_ago=9)
    assert await tick(instance) == 1
    assert status_of(instance, run_id) is D.SUCCESS


async def test_a_thawed_workers_late_success_is_taken_back_for_a_day(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    run_id = in_dagster(instance, D.SUCCESS)
    await ours(org, run_id, "failed", "lost")
    async with get_session() as session:
        hours_ago = clock.now() - timedelta(hours=20)
        await session.execute(update(RunAttempt).values(finished_at=hours_ago))
    assert await tick(instance) == 1
    assert status_of(instance, run_id) is D.FAILURE


@pytest.mark.parametrize(("status", "then"), [("queued", "canceled"), ("running", "running")])
async def test_what_is_marked_as_canceled_in_dagster_is_canceled_by_us(
    org: OrgOut, instance: dg.DagsterInstance, status: str, then: str
) -> None:
    run_id = in_dagster(instance, D.CANCELED)
    await ours(org, run_id, status, "running" if status == "running" else None)
    await tick(instance)
    async with get_session() as session:
        run = (await session.scalars(select(Run).where(Run.id == run_id))).one()
    assert run.status == then  # a running one ends through its worker, which is told
    assert run.cancel_requested_at


async def test_what_is_open_in_both_is_left_alone(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    found = {in_dagster(instance, said): said for said in (D.STARTED, D.STARTING, D.CANCELING)}
    for run_id in found:
        await ours(org, run_id, "running", "running")
    queued = in_dagster(instance, D.QUEUED)
    await ours(org, queued, "queued")
    assert await tick(instance) == 0
    assert {one: status_of(instance, one) for one in found} == found


async def test_a_record_that_no_row_stands_behind_fails_once_it_is_old_enough(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [in_dagster(instance, said) for said in (D.NOT_STARTED, D.QUEUED, D.STARTED)]
    assert await tick(instance) == 0
    monkeypatch.setattr(agreement, "UNKNOWN_AFTER", timedelta(0))
    assert await tick(instance) == 3
    assert {status_of(instance, run_id) for run_id in found} == {D.FAILURE}
