"""Runs that have ended, for tests of what is made of them: through the real queue and leases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Pipeline, Run
from etlfabric_dagster.schemas.runs import ErrorInfo, RunStatus, StreamResult, Trigger
from etlfabric_dagster.schemas.streams import SchemaChange
from etlfabric_dagster.services import leases, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope

BROKEN = ErrorInfo(message="db.acme.io refused the login.", remedy="Check the password.")


async def add_pipeline(slug: str, name: str = "shop") -> UUID:
    async with org_scope(OPERATOR, slug) as scope:
        known = await scope.session.scalar(select(Pipeline.id).where(Pipeline.name == name))
        if known:
            return known
        row = Pipeline(name=name, table_prefix="", schema_policy="evolve")
        scope.session.add(row)
        await scope.session.flush()
        return row.id


async def empty_queue() -> None:
    """A claim takes the fairest run of all orgs: nobody else's may wait."""
    async with get_session() as session:
        waiting = update(Run).where(Run.status.in_(("queued", "running")))
        await session.execute(waiting.values(status="canceled"))


async def end_run(
    slug: str,
    status: RunStatus,
    *,
    pipeline: str = "shop",
    rows: int = 0,
    size: int = 0,
    changes: tuple[SchemaChange, ...] = (),
    trigger: Trigger = Trigger.MANUAL,
    ago: timedelta = timedelta(0),
    took: timedelta = timedelta(seconds=2),
) -> UUID:
    """Start, claim, record and finish a run; `ago` moves all its times into the past."""
    await add_pipeline(slug, pipeline)
    await empty_queue()
    async with org_scope(OPERATOR, slug) as scope:
        started = await runs.start(scope, pipeline, trigger=trigger)
    claimed = await leases.claim(started.id, "w1")
    assert claimed is not None
    assert claimed.run_id == started.id
    result = StreamResult(rows=rows, bytes=size, schema_changes=changes)
    assert await leases.record(claimed.run_id, claimed.token, {"orders": result})
    error = BROKEN if status is RunStatus.FAILED else None
    assert await leases.finish(claimed.run_id, claimed.token, status, error)
    async with get_session() as session:
        run = await session.get_one(Run, started.id)
        assert run.finished_at is not None
        end = run.finished_at - ago
        times = {"created_at": end - took, "started_at": end - took, "finished_at": end}
        await session.execute(update(Run).where(Run.id == started.id).values(**times))
    return started.id
