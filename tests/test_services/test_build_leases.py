"""One dbt build per org at a time, and none waits for a dead worker."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import ClaimedRun, RunSelection, Trigger
from etlfabric_dagster.services import build_leases, orgs
from etlfabric_dagster.services.scope import OPERATOR


async def running(org: OrgOut) -> ClaimedRun:
    """A run that an attempt works on."""
    run_id, token, pipeline_id = uuid4(), uuid4(), uuid4()
    async with get_session() as session:
        session.add(
            Run(
                id=run_id,
                org_id=org.id,
                pipeline_id=pipeline_id,
                pipeline_name="shop",
                trigger="manual",
                status="running",
                token=token,
                attempt=1,
                max_attempts=3,
                created_by="test",
            )
        )
    return ClaimedRun(
        run_id=run_id,
        org_id=org.id,
        org_slug=org.slug,
        pipeline_id=pipeline_id,
        pipeline_name="shop",
        number=1,
        token=token,
        dagster_run_id=run_id,
        first_dagster_run_id=run_id,
        trigger=Trigger.MANUAL,
        selection=RunSelection(),
        configured=1,
        published=1,
        lease_s=5,
    )


async def lose(run_id: UUID) -> None:
    async with get_session() as session:
        await session.execute(update(Run).where(Run.id == run_id).values(token=None))


@pytest.fixture
async def holder(org: OrgOut) -> ClaimedRun:
    claimed = await running(org)
    assert await build_leases.acquire(claimed)
    return claimed


async def test_a_second_attempt_waits_until_the_first_gives_it_back(
    org: OrgOut, holder: ClaimedRun
) -> None:
    other = await running(org)
    assert not await build_leases.acquire(other)
    assert await build_leases.acquire(holder)
    await build_leases.release(holder)
    assert await build_leases.acquire(other)


async def test_a_lost_attempt_holds_nobody_up(org: OrgOut, holder: ClaimedRun) -> None:
    other = await running(org)
    await lose(holder.run_id)
    assert await build_leases.acquire(other)
    await build_leases.release(holder)  # a thawed worker gives back nothing
    third = await running(org)
    assert not await build_leases.acquire(third)


async def test_orgs_do_not_wait_for_each_other(
    holder: ClaimedRun, make_slug: Callable[[], str]
) -> None:
    other = await running(await orgs.create(OPERATOR, make_slug(), "Other"))
    assert await build_leases.acquire(other)


async def test_another_orgs_build_holds_nobody_up(
    org: OrgOut, holder: ClaimedRun, make_slug: Callable[[], str]
) -> None:
    elsewhere = await running(await orgs.create(OPERATOR, make_slug(), "Elsewhere"))
    assert await build_leases.acquire(elsewhere)
    await lose(holder.run_id)
    assert await build_leases.acquire(await running(org))
