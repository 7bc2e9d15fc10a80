"""What orgs use: counted where an attempt ends, in the same transaction, so that days sum to the
total and outlive the runs they were counted from.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Numeric,
    and_,
    cast,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.models import Run, UsageDay
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.schemas.usage import UsageItem, UsageReport, UsageTotals
from etlfabric_dagster.services import paging, quotas
from etlfabric_dagster.services.scope import OrgScope
from etlfabric_dagster.services.upserts import put

DEFAULT_DAYS = 30
MAX_PAGE = 1_000
MAX_DAYS = 400
_COUNTED = tuple(UsageTotals.model_fields)


async def record_attempt(session: AsyncSession, run: Run, seconds: float) -> None:
    """Add one ended attempt to its pipeline's day. The caller holds the run's row and calls once.

    Rows and bytes are the run's own and count with its verdict; seconds count with each attempt.
    """
    final = RunStatus(run.status).is_final
    values = {
        "rows": run.rows_loaded if final else 0,
        "bytes": run.bytes_loaded if final else 0,
        "run_s": max(seconds, 0.0),
        "runs": int(final),
        "failed_runs": int(run.status == RunStatus.FAILED),
    }
    key = {"org_id": run.org_id, "day": clock.now().date(), "pipeline_id": run.pipeline_id}
    added = {name: getattr(UsageDay, name) + value for name, value in values.items()}
    await put(session, UsageDay, key, added, {"pipeline_name": run.pipeline_name, **values})


async def report(
    scope: OrgScope,
    date_from: date | None = None,
    date_to: date | None = None,
    *,
    cursor: str | None = None,
    limit: int | None = None,
) -> UsageReport:
    """Use by day and pipeline, newest day first; 30 days until today by default (UTC).

    Args:
        limit: items at most; None = all. The total is always of the whole span.

    Raises InvalidInputError for a span that is empty or longer than 400 days.
    """
    last = date_to or clock.now().date()
    first = date_from or last - timedelta(days=DEFAULT_DAYS - 1)
    _check_span(first, last)
    span = UsageDay.org_id == scope.org_id, UsageDay.day.between(first, last)
    sums = await scope.session.execute(select(*map(_summed, _COUNTED)).where(*span))
    found = await _page(scope, span, cursor, limit)
    return UsageReport(
        org=scope.slug,
        date_from=first,
        date_to=last,
        items=found.items,
        total=UsageTotals.model_validate(dict(sums.mappings().one())),
        quota=await quotas.state(scope.session, scope.org_id),
        next=found.next,
    )


async def _page(
    scope: OrgScope, span: tuple[ColumnElement[bool], ...], cursor: str | None, limit: int | None
) -> Page[UsageItem]:
    name, place = UsageDay.pipeline_name.collate("C"), UsageDay.pipeline_id
    query = select(UsageDay).where(*span).order_by(UsageDay.day.desc(), name, place)
    if cursor is not None:
        day, *behind = paging.decode(cursor, date.fromisoformat, str, UUID)
        same_day = and_(UsageDay.day == day, tuple_(name, place) > tuple_(*behind))
        # the first condition is what the index can use
        query = query.where(UsageDay.day <= day, or_(UsageDay.day < day, same_day))
    if limit is not None:
        query = query.limit(limit + 1)
    items = tuple(map(_item, await scope.session.scalars(query)))
    return paging.page(
        items, limit or len(items), lambda one: (one.day, one.pipeline, one.pipeline_id)
    )


def _summed(name: str) -> ColumnElement[Any]:
    """Of a field as items show it, so that they sum to the total."""
    column = getattr(UsageDay, name)
    shown = func.round(cast(column, Numeric), 3) if name == "run_s" else column
    whole = Float if name == "run_s" else BigInteger
    return cast(func.coalesce(func.sum(shown), 0), whole).label(name)


def total(items: tuple[UsageTotals, ...]) -> UsageTotals:
    """The sum, field by field."""
    return UsageTotals.model_validate(
        {name: sum(getattr(item, name) for item in items) for name in _COUNTED}
    )


def _item(row: UsageDay) -> UsageItem:
    return UsageItem(
        day=row.day,
        pipeline_id=row.pipeline_id,
        pipeline=row.pipeline_name,
        rows=row.rows,
        bytes=row.bytes,
        run_s=round(row.run_s, 3),
        runs=row.runs,
        failed_runs=row.failed_runs,
    )


def _check_span(first: date, last: date) -> None:
    if not timedelta(0) <= last - first < timedelta(days=MAX_DAYS):
        raise InvalidInputError(
            f"{first} to {last} is not a span of 1 to {MAX_DAYS} days.",
            "Give a first day that is not after the last.",
            field="from",
        )
