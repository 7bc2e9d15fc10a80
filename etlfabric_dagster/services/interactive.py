"""Interactive work: asked as a row, rung on its own queue, answered in the row.

It never waits behind loads, and the asker never touches untrusted input itself.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    FabricError,
    NotAnsweredYetError,
    NotFoundError,
    RateLimitedError,
    StackError,
    error_from_dict,
)
from etlfabric_dagster.models import InteractiveRequest
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit

ANSWER = "etlfabric.answer_request"
RETRY_AFTER_S = 5
FIRST_LOOK_S, LAST_LOOK_S = 0.01, 0.25
KEPT = timedelta(hours=1)
TIMEOUT_S = 150
MAX_WAITING = 40
"""Of one org: others wait behind them."""


async def ask(
    org_id: UUID,
    kind: str,
    arguments: dict[str, Any],
    timeout_s: float = TIMEOUT_S,
    wait_s: float | None = None,
) -> dict[str, Any]:
    """Have an interactive worker do something and wait for its answer.

    Args:
        wait_s: give up waiting after so long, while the work goes on.

    Raises:
        FabricError: what the work itself refused, with its code.
        NotAnsweredYetError: `wait_s` has passed; `wait_for` looks again.
        RateLimitedError: too much that the org asked for is not answered yet.
        StackError: no worker answered in time.
    """
    async with get_session() as session:
        await _require_room(session, org_id)
        request = InteractiveRequest(org_id=org_id, kind=kind, arguments=arguments)
        session.add(request)
        await session.flush()
        request_id = request.id
        ring_after_commit(session, ANSWER, str(request_id), queue=INTERACTIVE)
    return await _wait(request_id, kind, clock.now() + timedelta(seconds=timeout_s), wait_s)


async def wait_for(org_id: UUID, request_id: UUID, wait_s: float) -> tuple[str, dict[str, Any]]:
    """Kind and answer of a request of this org that was asked before.

    Raises what `ask` raises, and NotFoundError.
    """
    query = select(InteractiveRequest.kind, InteractiveRequest.created_at).where(
        InteractiveRequest.id == request_id, InteractiveRequest.org_id == org_id
    )
    async with get_session() as session:
        found = (await session.execute(query)).one_or_none()
    if found is None:
        raise _no_request(request_id)
    until = found.created_at + timedelta(seconds=TIMEOUT_S)
    return found.kind, await _wait(request_id, found.kind, until, wait_s)


async def take(request_id: UUID) -> tuple[UUID, str, dict[str, Any]] | None:
    """For the worker: (org, kind, arguments) once; None when it was taken or is gone."""
    async with get_session() as session:
        row = (
            await session.execute(
                update(InteractiveRequest)
                .where(InteractiveRequest.id == request_id, InteractiveRequest.status == "queued")
                .values(status="running")
                .returning(
                    InteractiveRequest.org_id,
                    InteractiveRequest.kind,
                    InteractiveRequest.arguments,
                )
            )
        ).one_or_none()
    return tuple(row) if row else None


async def answer(
    request_id: UUID, payload: dict[str, Any] | None, error: FabricError | None = None
) -> None:
    """For the worker: write the answer, or the error."""
    async with get_session() as session:
        await session.execute(
            update(InteractiveRequest)
            .where(InteractiveRequest.id == request_id)
            .values(
                status="failed" if error else "done",
                answer=payload,
                error=error.as_dict() if error else None,
                finished_at=func.clock_timestamp(),
            )
        )


async def ring_stale(after_s: float = 3) -> int:
    """Ring again for requests that nobody took: their doorbell may be lost."""
    limit = clock.now() - timedelta(seconds=after_s)
    query = select(InteractiveRequest.id).where(
        InteractiveRequest.status == "queued", InteractiveRequest.created_at < limit
    )
    async with get_session() as session:
        waiting = list(await session.scalars(query))
        for request_id in waiting:
            ring_after_commit(session, ANSWER, str(request_id), queue=INTERACTIVE)
    return len(waiting)


async def count_old() -> int:
    """How many `forget_old` would drop now."""
    query = select(func.count()).where(InteractiveRequest.created_at < clock.now() - KEPT)
    async with get_session() as session:
        return await session.scalar(query) or 0


async def forget_old() -> int:
    """Drop answered requests after an hour. Idempotent."""
    limit = clock.now() - KEPT
    async with get_session() as session:
        done = await session.execute(
            delete(InteractiveRequest)
            .where(InteractiveRequest.created_at < limit)
            .returning(InteractiveRequest.id)
        )
        return len(done.all())


async def _require_room(session: AsyncSession, org_id: UUID) -> None:
    """What was asked longer ago than anybody waits is not counted: its worker may have died."""
    since = clock.now() - timedelta(seconds=TIMEOUT_S)
    waiting = select(func.count()).where(
        InteractiveRequest.org_id == org_id,
        InteractiveRequest.finished_at.is_(None),
        InteractiveRequest.created_at > since,
    )
    if (await session.scalar(waiting) or 0) >= MAX_WAITING:
        raise RateLimitedError(
            f"{MAX_WAITING} checks, previews and queries of this org wait for their answers.",
            "Wait until some are answered, then try again.",
            retry_after_s=RETRY_AFTER_S,
        )


async def _wait(
    request_id: UUID, kind: str, until: datetime, wait_s: float | None
) -> dict[str, Any]:
    given_up = math.inf if wait_s is None else time.monotonic() + wait_s
    pause = FIRST_LOOK_S
    while True:
        answered = await _look(request_id)
        if answered is not None:
            return answered
        if clock.now() > until:
            raise StackError(
                f"No worker answered the {kind} in time.",
                "See whether the interactive worker is healthy: etlfabric status",
                code="no_answer",
            )
        if time.monotonic() > given_up:
            raise NotAnsweredYetError(
                f"The {kind} is not answered yet.",
                "Ask for its answer again.",
                request=str(request_id),
            )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LAST_LOOK_S)


async def _look(request_id: UUID) -> dict[str, Any] | None:
    """The answer, None before there is one. Raises what the work refused."""
    query = select(
        InteractiveRequest.status, InteractiveRequest.answer, InteractiveRequest.error
    ).where(InteractiveRequest.id == request_id)
    async with get_session() as session:
        found = (await session.execute(query)).one_or_none()
    if found is None:
        raise _no_request(request_id)
    if found.status == "failed":
        raise error_from_dict(found.error)
    return found.answer if found.status == "done" else None


def _no_request(request_id: UUID) -> NotFoundError:
    return NotFoundError(
        f"There is no answer {request_id}.", "Ask again: answers are kept for an hour."
    )
