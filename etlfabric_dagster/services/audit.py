"""The audit log: every change, written in the transaction that makes it.

Each org has a chain, and the platform one: an event's hash covers the one before, its own place and
the digest of its payload. Erasing an org nulls payloads, salt included, and the chains still hold.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import AuditChain, AuditEvent, Org
from etlfabric_dagster.schemas.audit import AuditBreak, AuditEventOut, AuditReport
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.security.redaction import MASK
from etlfabric_dagster.services import paging
from etlfabric_dagster.services.scope import Actor, OrgScope, require_operator

PLATFORM = UUID(int=0)
"""The chain of what belongs to no org."""

Facts = BaseModel | Mapping[str, Any] | None

_GENESIS = b"\0" * 32
_SECRET_KEY = re.compile(r"pass(word|wd)|secret|token|private_?key|api_?key|authorization", re.I)
_NOT_FACTS = {"created_at", "updated_at", "last_check", "checked_at", "config_version"}
_BATCH = 1000
LOOKED_AT = 50
"""So many of the newest changes tell who came first."""


async def record(
    scope: OrgScope, action: str, target: str, *, before: Facts = None, after: Facts = None
) -> None:
    """Write a change of an org, in its transaction. Holds the org's chain until the commit.

    Args:
        action: its name in `services.permissions.ACTIONS`.
        target: what was changed, as `connections/shop`.
        before, after: values; only the fields that differ are kept, secrets never.
    """
    await write(
        scope.session, scope.actor, action, target, org_id=scope.org_id, before=before, after=after
    )


async def write(
    session: AsyncSession,
    actor: Actor,
    action: str,
    target: str,
    *,
    org_id: UUID | None = None,
    before: Facts = None,
    after: Facts = None,
) -> None:
    """The same where there is no scope: people, sessions, the orgs themselves."""
    old, new = _difference(_plain(before), _plain(after))
    payload = _canonical(
        {
            "actor": actor.label,
            "via": actor.via,
            "address": actor.address,
            "target": target,
            "before": old,
            "after": new,
            "salt": secrets.token_hex(16),  # a nulled payload cannot be guessed from its digest
        }
    )
    chain = await _extend(session, org_id or PLATFORM)
    event = AuditEvent(
        id=uuid4(),
        chain=chain.id,
        seq=chain.length,
        at=clock.now(),
        action=action,
        actor_id=actor.user_id,
        payload=payload,
        payload_digest=_digest(payload),
    )
    event.hash = chain.head = _hash(chain.head, event)
    session.add(event)
    await session.flush()


async def list_events(
    scope: OrgScope,
    *,
    action: str | None = None,
    actor_id: UUID | None = None,
    since: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[AuditEventOut]:
    """An org's events, newest first. `action` may be a domain (`connections`) or one action."""
    scope.require("audit.read")
    query = select(AuditEvent).where(AuditEvent.chain == scope.org_id)
    if action:
        query = query.where(
            (AuditEvent.action == action)
            | AuditEvent.action.startswith(f"{action}.", autoescape=True)
        )
    if actor_id:
        query = query.where(AuditEvent.actor_id == actor_id)
    if since:
        query = query.where(AuditEvent.at >= since)
    if cursor:
        query = query.where(AuditEvent.seq < paging.decode(cursor, int)[0])
    rows = await scope.session.scalars(query.order_by(AuditEvent.seq.desc()).limit(limit + 1))
    return paging.page([_out(row) for row in rows], limit, lambda event: (event.seq,))


async def newest_actor(scope: OrgScope, target: str) -> str | None:
    """Who changed `connections/shop` last, if that is among the org's newest changes."""
    query = select(AuditEvent).where(AuditEvent.chain == scope.org_id)
    newest = await scope.session.scalars(query.order_by(AuditEvent.seq.desc()).limit(LOOKED_AT))
    return next((one.actor for one in map(_out, newest) if one.target == target), None)


async def list_platform(
    actor: Actor, cursor: str | None = None, limit: int = 50
) -> Page[AuditEventOut]:
    """What belongs to no org: people, sign-ins of operators, erased orgs. Operators only."""
    require_operator(actor, "read the platform's audit log")
    query = select(AuditEvent).where(AuditEvent.chain == PLATFORM)
    if cursor:
        query = query.where(AuditEvent.seq < paging.decode(cursor, int)[0])
    async with get_session() as session:
        rows = await session.scalars(query.order_by(AuditEvent.seq.desc()).limit(limit + 1))
        return paging.page([_out(row) for row in rows], limit, lambda event: (event.seq,))


async def verify(actor: Actor) -> AuditReport:
    """Walk all chains and name what is not as it was written. Operators only."""
    require_operator(actor, "verify the audit log")
    async with get_session() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        slugs = dict(tuple(row) for row in await session.execute(select(Org.id, Org.slug)))
        chains = list(await session.scalars(select(AuditChain).order_by(AuditChain.id)))
        found = [await _verify_chain(session, chain, slugs) for chain in chains]
        orphans = select(AuditEvent.chain).where(
            AuditEvent.chain.not_in([chain.id for chain in chains])
        )
        lost = list(await session.scalars(orphans.distinct()))
    broken = [one for _, one in found if one]
    broken += [_break(slugs, chain, 0, "the end of its chain is missing") for chain in lost]
    return AuditReport(
        ok=not broken,
        chains=len(chains),
        events=sum(count for count, _ in found),
        broken=tuple(broken),
    )


async def verify_own(scope: OrgScope) -> AuditReport:
    """Walk the chain of one org. Admins of it."""
    scope.require("audit.read")
    async with get_session() as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        chain = await session.get(AuditChain, scope.org_id)
        if chain is None:
            return AuditReport(ok=True, chains=0, events=0, broken=())
        events, fault = await _verify_chain(session, chain, {scope.org_id: scope.slug})
    return AuditReport(ok=not fault, chains=1, events=events, broken=(fault,) if fault else ())


async def forget(session: AsyncSession, org_id: UUID) -> None:
    """Null what an erased org's events told; the chain stays. Idempotent."""
    events = update(AuditEvent).where(AuditEvent.chain == org_id, AuditEvent.payload.is_not(None))
    await session.execute(events.values(payload=None))


async def _extend(session: AsyncSession, chain_id: UUID) -> AuditChain:
    """The chain with its length counted up: locked until the transaction ends."""
    query = select(AuditChain).where(AuditChain.id == chain_id).with_for_update()
    query = query.execution_options(populate_existing=True)
    chain = (await session.scalars(query)).one_or_none()
    if chain is None:
        first = insert(AuditChain).values(id=chain_id, length=0, head=_GENESIS)
        await session.execute(first.on_conflict_do_nothing())
        chain = (await session.scalars(query)).one()
    chain.length += 1
    return chain


async def _verify_chain(
    session: AsyncSession, chain: AuditChain, slugs: Mapping[UUID, str]
) -> tuple[int, AuditBreak | None]:
    """How many events hold, and the first that does not."""
    head, seq = _GENESIS, 0
    may_be_erased = chain.id != PLATFORM and chain.id not in slugs
    query = select(AuditEvent).where(AuditEvent.chain == chain.id).order_by(AuditEvent.seq)
    rows = await session.stream_scalars(query.execution_options(yield_per=_BATCH))
    async for event in rows:
        seq += 1
        if reason := _fault(event, head, seq, may_be_erased):
            return seq - 1, _break(slugs, chain.id, event.seq, reason, event)
        head = event.hash
    if (head, seq) != (chain.head, chain.length):
        return seq, _break(slugs, chain.id, seq + 1, "events at the end are missing")
    return seq, None


def _fault(event: AuditEvent, head: bytes, seq: int, may_be_erased: bool) -> str | None:
    if event.seq != seq:
        return "events before it are missing"
    if event.payload is None and not may_be_erased:
        return "its payload is missing, and its org is not erased"
    if event.payload is not None and _digest(event.payload) != event.payload_digest:
        return "its payload was edited"
    return None if _hash(head, event) == event.hash else "it was edited"


def _break(
    slugs: Mapping[UUID, str], chain: UUID, seq: int, reason: str, event: AuditEvent | None = None
) -> AuditBreak:
    return AuditBreak(
        org=slugs.get(chain),
        seq=seq,
        event_id=event.id if event else None,
        action=event.action if event else None,
        reason=reason,
    )


def _hash(head: bytes, event: AuditEvent) -> bytes:
    place = _canonical(
        {
            "id": str(event.id),
            "chain": str(event.chain),
            "seq": event.seq,
            "at": event.at.isoformat(),
            "action": event.action,
            "actor_id": str(event.actor_id) if event.actor_id else None,
        }
    )
    return hashlib.sha256(head + event.payload_digest + place.encode()).digest()


def _digest(payload: str) -> bytes:
    return hashlib.sha256(payload.encode()).digest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(facts: Facts) -> dict[str, Any] | None:
    if facts is None:
        return None
    if isinstance(facts, BaseModel):
        facts = facts.model_dump(mode="json")
    plain = json.loads(json.dumps(dict(facts), default=str))
    return _masked({key: item for key, item in plain.items() if key not in _NOT_FACTS})


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(item, str) and _SECRET_KEY.search(key) else _masked(item)
            for key, item in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _difference(
    old: dict[str, Any] | None, new: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if old is None or new is None:
        return old, new
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return (
        {key: value for key, value in old.items() if key in changed},
        {key: value for key, value in new.items() if key in changed},
    )


def _out(event: AuditEvent) -> AuditEventOut:
    told: dict[str, Any] = json.loads(event.payload) if event.payload else {}
    return AuditEventOut(
        id=event.id,
        seq=event.seq,
        at=event.at,
        action=event.action,
        actor_id=event.actor_id,
        **{name: told.get(name) for name in ("actor", "via", "address", "target")},
        before=told.get("before"),
        after=told.get("after"),
    )
