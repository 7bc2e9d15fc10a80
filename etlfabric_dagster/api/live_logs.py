"""A run's log as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.runs import LogLine
from etlfabric_dagster.services import run_logs, runs
from etlfabric_dagster.services.scope import Actor, org_scope

LOOK_S = 0.5  # a worker writes its lines that often
KEEP_ALIVE_S = 15
LINES = 500


async def follow(
    actor: Actor, slug: str, run: UUID, after: str, attempt: int | None, life: timedelta
) -> AsyncIterator[str]:
    """Events until the run has ended, or `life` is over: clients connect again and are asked for
    their credentials anew. No transaction is open between two looks.
    """
    deadline = time.monotonic() + life.total_seconds()
    spoken, position = time.monotonic(), after
    while time.monotonic() < deadline:
        try:
            async with org_scope(actor, slug) as scope:
                page = await run_logs.page(scope, run, attempt=attempt, after=position, limit=LINES)
                status = (await runs.get(scope, run)).status if page.next is None else None
        except FabricError as exc:  # the org was suspended or erased meanwhile
            yield _event("error", exc.as_dict())
            return
        for place, line in zip(page.positions, page.items, strict=True):
            yield _line(place, line)
        if status is not None:
            yield _event("end", {"status": status})
            return
        if page.items:
            spoken, position = time.monotonic(), page.positions[-1]
        elif time.monotonic() - spoken > KEEP_ALIVE_S:
            spoken = time.monotonic()
            yield ": still here\n\n"
        if len(page.items) < LINES:
            await asyncio.sleep(LOOK_S)


def _line(position: str, line: LogLine) -> str:
    return f"id: {position}\nevent: line\ndata: {line.model_dump_json()}\n\n"


def _event(name: str, data: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, default=str)}\n\n"
