"""What became of an org that somebody asked to erase: the audit log outlives it and tells."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import UUID

from sqlalchemy import select

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import AuditEvent
from etlfabric_dagster.schemas.orgs import EraseReport
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import Actor, require_own_password

LOOK_S = 0.25


async def report(actor: Actor, org_id: UUID, wait_s: float = 0) -> EraseReport | None:
    """What the erase removed; None while it goes on. For who asked for it, and operators.

    Raises NotFoundError, also for everybody else.
    """
    require_own_password(actor)
    deadline = time.monotonic() + wait_s
    while True:
        events = await _events(org_id)
        if not actor.is_operator and all(row.actor_id != actor.user_id for row in events):
            events = []
        if not events or actor.limits is not None:
            raise NotFoundError(f"There is no erase of {org_id}.", "List your orgs.")
        for told in map(_before, events):
            if told is not None:
                return EraseReport.model_validate(told["report"])
        if time.monotonic() >= deadline:
            return None
        await asyncio.sleep(LOOK_S)


async def _events(org_id: UUID) -> list[AuditEvent]:
    """The wish and, later, the deed: the newest first."""
    query = select(AuditEvent).where(
        AuditEvent.chain == audit.PLATFORM,
        AuditEvent.action == "orgs.erase",
        AuditEvent.payload.contains(f'"id":"{org_id}"', autoescape=True),
    )
    async with get_session() as session:
        return list(await session.scalars(query.order_by(AuditEvent.seq.desc())))


def _before(event: AuditEvent) -> dict[str, Any] | None:
    return json.loads(event.payload or "{}").get("before")
