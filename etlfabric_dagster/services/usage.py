"""What orgs use: counted where an attempt ends, in the same transaction, so that days sum to the
total and outlive the runs they were counted from.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.models import Run, UsageDay
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.schemas.usage import UsageItem, UsageReport, UsageTotals
from etlfabric_dagster.services import quotas
from etlfabric_dagster.services.scope import OrgScope

DEFAULT_DAYS = 30
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
    statement = insert(UsageDay).values(
        org_id=run.org_id,
        day=clock.now().date(),
        pipeline_id=run.pipeline_id,
        pipeline_name=run.pipeline_name,
        **values,
    )
    added = {name: getattr(UsageDay, name) + value for name, value in values.items()}
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "day", "pipeline_id"],
            set_=added,
        )
    )


async def report(
    scope: OrgScope, date_from: date | None = None, date_to: date | None = None
) -> UsageReport:
    """Use by day and pipeline, newest day first; 30 days until today by default (UTC).

    Raises InvalidInputError for a span that is empty or longer than 400 days.
    """
    last = date_to or clock.now().date()
    first = date_from or last - timedelta(days=DEFAULT_DAYS - 1)
    _check_span(first, last)
    query = (
        select(UsageDay)
        .where(UsageDay.org_id == scope.org_id, UsageDay.day.between(first, last))
        .order_by(UsageDay.day.desc(), UsageDay.pipeline_name, UsageDay.pipeline_id)
    )
    items = tuple(map(_item, await scope.session.scalars(query)))
    return UsageReport(
        org=scope.slug,
        date_from=first,
        date_to=last,
        items=items,
        total=total(items),
        quota=await quotas.state(scope.session, scope.org_id),
    )


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
