"""What operators let an org use: a warning at 80 %, no new runs at 100 %."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import InvalidInputError, QuotaError
from etlfabric_dagster.models import Quota, UsageDay
from etlfabric_dagster.schemas.usage import QuotaState
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import Actor, find_org, require_operator

WARN_AT = 0.8
DATA = ("raw", "raw_staging", "staging", "marts")

_STORAGE = text(
    """
    SELECT count(*), coalesce(sum(pg_total_relation_size(c.oid)), 0)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'm', 'p')
    """
)


async def set_quota(
    actor: Actor,
    slug: str,
    *,
    rows_per_month: int | None = None,
    storage_bytes: int | None = None,
) -> QuotaState:
    """Set both limits of an org; None is without limit. Raises InvalidInputError below 1."""
    require_operator(actor, "set quotas")
    limits = {"rows_per_month": rows_per_month, "storage_bytes": storage_bytes}
    for field, limit in limits.items():
        if limit is not None and limit < 1:
            raise InvalidInputError(
                f"A limit of {limit} is none.", "Give 1 or more, or nothing.", field=field
            )
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        await session.execute(
            insert(Quota)
            .values(org_id=org.id, **limits)
            .on_conflict_do_update(index_elements=["org_id"], set_=limits)
        )
        await audit.write(
            session, actor, "orgs.set_quota", f"orgs/{slug}", org_id=org.id, after=limits
        )
        return await state(session, org.id)


async def state(session: AsyncSession, org_id: UUID) -> QuotaState:
    """The limits and what is used of them. Two queries; a third when storage is limited."""
    quota = await session.scalar(select(Quota).where(Quota.org_id == org_id))
    rows_used = await _rows_of_month(session, org_id)
    if quota is None:
        return QuotaState(rows_used=rows_used)
    stored = await storage_used(session, org_id) if quota.storage_bytes else None
    shares = (
        ("rows of this month", rows_used, quota.rows_per_month),
        ("bytes of storage", stored or 0, quota.storage_bytes),
    )
    return QuotaState(
        rows_per_month=quota.rows_per_month,
        storage_bytes=quota.storage_bytes,
        rows_used=rows_used,
        storage_used_bytes=stored,
        warnings=tuple(
            f"{used:,} of {limit:,} {what} are used."
            for what, used, limit in shares
            if limit and used >= WARN_AT * limit
        ),
        exceeded=any(limit and used >= limit for _, used, limit in shares),
    )


async def require_room(session: AsyncSession, org_id: UUID, slug: str) -> None:
    """Raises QuotaError when the org has used up what it may use."""
    if await session.scalar(select(Quota.id).where(Quota.org_id == org_id)) is None:
        return
    found = await state(session, org_id)
    if found.exceeded:
        raise QuotaError(
            f"'{slug}' has used what it may: {' '.join(found.warnings)}"
            f" A new month begins on {_next_month(clock.now().date()):%b %d} (UTC).",
            "See what uses it, or ask the operator for more.",
            org=slug,
        )


async def exhausted(session: AsyncSession, org_ids: Collection[UUID]) -> set[UUID]:
    """Which of these orgs may not start runs now. One query when none of them has a quota."""
    limited = await session.scalars(select(Quota.org_id).where(Quota.org_id.in_(org_ids)))
    return {org_id for org_id in list(limited) if (await state(session, org_id)).exceeded}


async def storage_used(session: AsyncSession, org_id: UUID) -> int:
    """Bytes of the org's tables and indexes in all data schemas."""
    return (await stored(session, org_id))[1]


async def stored(session: AsyncSession, org_id: UUID) -> tuple[int, int]:
    """How many tables the org has in all data schemas, and their bytes with indexes."""
    schemas = [f"tenant_{org_id.hex}_{layer}" for layer in DATA]
    tables, size = (await session.execute(_STORAGE, {"schemas": schemas})).one()
    return tables, int(size)


async def _rows_of_month(session: AsyncSession, org_id: UUID) -> int:
    first = clock.now().date().replace(day=1)
    query = select(func.coalesce(func.sum(UsageDay.rows), 0)).where(
        UsageDay.org_id == org_id, UsageDay.day >= first
    )
    return int(await session.scalar(query) or 0)


def _next_month(today: date) -> date:
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)
