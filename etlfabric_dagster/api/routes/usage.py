"""What an org uses, and what it may use."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Query

from etlfabric_dagster.api.deps import PAGE, CurrentActor, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.usage import QuotaState, UsageReport
from etlfabric_dagster.services import quotas, usage

router = org_router("usage")


class QuotaIn(Value):
    """Both limits; null is without limit."""

    rows_per_month: int | None = None
    storage_bytes: int | None = None


@router.get("")
async def get_usage(
    scope: Scoped,
    date_from: Annotated[date | None, Query(alias="from")] = None,
    date_to: Annotated[date | None, Query(alias="to")] = None,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before.", max_length=500)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=usage.MAX_PAGE, description="Items at most.")] = PAGE,
) -> UsageReport:
    """Rows, bytes and seconds by pipeline and day (UTC), a page of them, and the total of all; 30
    days until today by default.
    """
    return await usage.report(scope, date_from, date_to, cursor=cursor, limit=limit)


@router.get("/quota")
async def get_quota(scope: Scoped) -> QuotaState:
    """Both limits, and what is used of them."""
    return await quotas.state(scope.session, scope.org_id)


@router.put("/quota")
async def set_quota(actor: CurrentActor, slug: Slug, given: QuotaIn) -> QuotaState:
    """Set both limits. Operators."""
    return await quotas.set_quota(
        actor, slug, rows_per_month=given.rows_per_month, storage_bytes=given.storage_bytes
    )
