"""The clock's benchmark in short: what it counts is right, and pollers that die lose nothing."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete

from benchmarks import clock as benchmark
from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import schedules

COUNT = 300


@pytest.fixture
async def filled(org: OrgOut) -> None:
    async with get_session() as session:
        await session.execute(delete(Run))
        await session.execute(delete(Schedule))
    await benchmark.fill(org.id, COUNT)
    await benchmark.make_due()


async def poll(limit: int) -> None:
    while await schedules.fire_due(clock.now(), limit):
        pass


async def until_some_fired() -> None:
    while await benchmark.due() == COUNT:
        pass


async def test_three_pollers_fire_each_schedule_once_though_one_dies_in_mid_batch(
    filled: None,
) -> None:
    dying = asyncio.create_task(poll(100))
    pollers = [asyncio.create_task(poll(20)) for _ in range(2)]
    await until_some_fired()
    dying.cancel()
    await asyncio.gather(dying, *pollers, return_exceptions=True)
    await poll(COUNT)
    assert await benchmark.due() == 0
    assert await benchmark.verdict() == (0, 0)


async def test_a_schedule_without_a_run_and_one_with_two_are_counted(filled: None) -> None:
    assert await benchmark.verdict() == (COUNT, 0)
    await poll(COUNT)
    await benchmark.make_due()
    await poll(COUNT)
    assert await benchmark.verdict() == (0, COUNT)
