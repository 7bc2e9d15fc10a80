"""Old history goes, ours and Dagster's; what is shown or needed stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import dagster as dg
import pytest
from sqlalchemy import delete, select

from etlfabric_dagster import clock, storage
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import InteractiveRequest, Run, RunAttempt
from etlfabric_dagster.orchestration.retention import prune
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import LogLine, PruneReport


@pytest.fixture(autouse=True)
async def _empty(migrated: object) -> None:
    async with get_session() as session:
        await session.execute(delete(Run))
        await session.execute(delete(InteractiveRequest))


@pytest.fixture(autouse=True)
def _month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "retention_days", 30)


async def add_run(org: OrgOut, pipeline: UUID, days_ago: float, status: str = "succeeded") -> UUID:
    """A run with an attempt and a log of one chunk."""
    at = clock.now() - timedelta(days=days_ago)
    run_id = uuid4()
    run = Run(
        id=run_id,
        org_id=org.id,
        pipeline_id=pipeline,
        pipeline_name="shop",
        trigger="manual",
        status=status,
        max_attempts=3,
        created_by="test",
        created_at=at,
        finished_at=None if status == "queued" else at,
    )
    attempt = RunAttempt(run_id=run_id, number=1, dagster_run_id=run_id, status=status, worker="w")
    async with get_session() as session:
        session.add(run)
        await session.flush()
        session.add(attempt)
    line = LogLine(at=at, level="info", message="hello", subject=None, attempt=1)
    storage.append_log(org.id, run_id, 1, [line])
    return run_id


async def kept() -> set[UUID]:
    async with get_session() as session:
        return set(await session.scalars(select(Run.id)))


async def run_prune(instance: dg.DagsterInstance, *, dry_run: bool = False) -> PruneReport:
    return await asyncio.to_thread(prune, instance, dry_run=dry_run)


async def test_old_runs_go_with_their_logs_and_the_last_of_each_pipeline_stays(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    busy, idle = uuid4(), uuid4()
    old = [await add_run(org, busy, days) for days in (90, 31)]
    young, last = await add_run(org, busy, 1), await add_run(org, idle, 400)
    waiting = await add_run(org, busy, 60, "queued")
    assert len(storage.read_log(org.id, old[0])[0]) == 1
    report = await run_prune(instance)
    assert (report.runs, report.log_files) == (2, 2)
    assert await kept() == {young, last, waiting}
    assert storage.read_log(org.id, old[0])[0] == []
    assert storage.read_log(org.id, last)[0] != []
    assert (await run_prune(instance)).runs == 0


async def test_a_dry_run_counts_the_same_and_removes_nothing(
    org: OrgOut, instance: dg.DagsterInstance
) -> None:
    pipeline = uuid4()
    for days in (50, 40, 1):
        await add_run(org, pipeline, days)
    async with get_session() as session:
        long_ago = clock.now() - timedelta(hours=2)
        request = InteractiveRequest(org_id=org.id, kind="check", arguments={}, created_at=long_ago)
        session.add(request)
    dry = await run_prune(instance, dry_run=True)
    assert (dry.runs, dry.log_files, dry.requests, dry.dry_run) == (2, 2, 1, True)
    assert len(await kept()) == 3
    real = await run_prune(instance)
    assert real == dry.model_copy(update={"dry_run": False})
    assert len(await kept()) == 1


async def test_without_a_retention_everything_is_kept(
    org: OrgOut, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "retention_days", 0)
    pipeline = uuid4()
    for days in (900, 800):
        await add_run(org, pipeline, days)
    report = await run_prune(instance)
    assert (report.runs, report.dagster_runs, report.retention_days) == (0, 0, 0)
    assert len(await kept()) == 2
