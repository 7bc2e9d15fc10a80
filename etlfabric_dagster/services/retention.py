"""What is forgotten after `ETLFABRIC_RETENTION_DAYS`: run history, run logs, answered requests.

Data, configuration and audit are never touched. Each pipeline keeps its last ended run: its
result is shown, and its success lets the next run trust dlt's cached state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.orm import aliased

from etlfabric_dagster import storage
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run
from etlfabric_dagster.services import interactive

BATCH = 200


async def forget_runs(before: datetime, *, dry_run: bool = False) -> tuple[int, int]:
    """Forget runs that ended before, with their attempts and logs; returns (runs, log files).

    Resumable: a batch's logs go before its rows. With `dry_run` nothing goes.
    """
    runs = files = 0
    old = await _old(before)
    for batch in _batches(old):
        files += await asyncio.to_thread(_forget_logs, batch, dry_run)
        runs += len(batch)
        if not dry_run:
            async with get_session() as session:
                gone = delete(Run).where(Run.id.in_([run_id for _, run_id in batch]))
                await session.execute(gone)
    return runs, files


async def forget_requests(*, dry_run: bool = False) -> int:
    """Forget interactive requests after an hour: their answers were read at once."""
    return await (interactive.count_old() if dry_run else interactive.forget_old())


async def _old(before: datetime) -> Sequence[tuple[UUID, UUID]]:
    async with get_session() as session:
        return [(org_id, run_id) for org_id, run_id in await session.execute(_query(before))]


def _query(before: datetime) -> Select[tuple[UUID, UUID]]:
    newer = aliased(Run)
    has_newer = exists().where(
        newer.pipeline_id == Run.pipeline_id, newer.finished_at > Run.finished_at
    )
    return select(Run.org_id, Run.id).where(Run.finished_at < before, has_newer)


def _forget_logs(batch: Iterable[tuple[UUID, UUID]], dry_run: bool) -> int:
    forget = storage.count_log if dry_run else storage.delete_log
    return sum(forget(org_id, run_id) for org_id, run_id in batch)


def _batches(found: Sequence[tuple[UUID, UUID]]) -> Iterable[Sequence[tuple[UUID, UUID]]]:
    return (found[start : start + BATCH] for start in range(0, len(found), BATCH))
