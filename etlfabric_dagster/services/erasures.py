"""Erase orgs: close at once, remove in the background, report: the audit log outlives the org."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text

from etlfabric_dagster import storage
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.models import AuditEvent, Connection, Org, Run
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.orgs import EraseReport, OrgStatus
from etlfabric_dagster.services import audit, orgs, tenants
from etlfabric_dagster.services.scope import Actor, find_org, require, require_own_password

ERASE = "etlfabric.erase_org"
"""The task that erases an org which is closed already."""
LOOK_S = 0.25


async def begin(actor: Actor, slug: str) -> UUID:
    """Hide the org, close its logins and cancel its runs; its id. Owners and operators.

    Idempotent.
    """
    await require(actor, slug, "orgs.erase")
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        org.status = OrgStatus.ERASING
        await orgs.cancel_runs(session, org.id)  # first: a fence holds its run, then the logins
        await tenants.set_logins(session, org.id, enabled=False)
        return org.id


async def request(actor: Actor, slug: str, typed: str | None = None) -> UUID:
    """Close the org now and have a worker erase it; its id. Owners and operators. Idempotent.

    Nothing of it is reached any more when this returns; `requested` finds what a lost
    doorbell left, and `report` what was removed.

    Args:
        typed: the slug as a person typed it, where one was asked to.
    """
    await require(actor, slug, "orgs.erase")
    if typed is not None and typed != slug:
        raise InvalidInputError(
            f"Erasing '{slug}' removes all its data for good.",
            "Type its slug to say that you mean it.",
            field="confirm",
        )
    await begin(actor, slug)
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        asked = {"id": str(org.id), "requested": True}
        await audit.write(session, actor, "orgs.erase", f"orgs/{slug}", after=asked)
        ring_after_commit(session, ERASE, str(org.id), queue=INTERACTIVE)
        return org.id


async def requested() -> tuple[tuple[UUID, str], ...]:
    """Orgs (id, slug) of which something is left although they are to be erased."""
    query = select(Org.id, Org.slug).where(Org.status == OrgStatus.ERASING)
    async with get_session() as session:
        return tuple((org_id, slug) for org_id, slug in await session.execute(query))


async def erase(actor: Actor, slug: str, *, dagster_runs: int = 0) -> EraseReport:
    """Remove the org: schemas, roles, credentials, runs, uploads, logs. Resumable after a crash.

    Dagster's own records are removed before, by `etlfabric_dagster.erasure`, which counts them. Of
    two at once the second waits, then raises NotFoundError.
    """
    async with get_session() as waiting:
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
        await waiting.execute(lock, {"key": f"erase {slug}"})
        await begin(actor, slug)
        return await _erase(actor, slug, dagster_runs)


async def _erase(actor: Actor, slug: str, dagster_runs: int) -> EraseReport:
    async with get_session() as session:
        org_id = (await find_org(session, actor, slug)).id
    connections = await _count_connections(org_id)
    async with get_session() as session:
        schemas, tables, roles = await tenants.drop(session, org_id)
    files = await asyncio.to_thread(storage.erase, org_id)
    async with get_session() as session:
        runs = await session.scalar(select(func.count()).where(Run.org_id == org_id))
        await session.execute(delete(Org).where(Org.id == org_id))
        await audit.forget(session, org_id)
        report = EraseReport(
            slug=slug,
            schemas=schemas,
            tables=tables,
            roles=roles,
            connections=connections,
            runs=runs or 0,
            dagster_runs=dagster_runs,
            files=files,
        )
        gone = {"id": str(org_id), "report": report.model_dump(mode="json")}
        await audit.write(session, actor, "orgs.erase", f"orgs/{slug}", before=gone)
        return report


async def _count_connections(org_id: UUID) -> int:
    """0 when the configuration schema is gone already (a resumed erase)."""
    async with get_session(org_id=org_id) as session:
        table = f"tenant_{org_id.hex}.connections"
        if await session.scalar(select(func.to_regclass(table))) is None:
            return 0
        return await session.scalar(select(func.count()).select_from(Connection)) or 0


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
