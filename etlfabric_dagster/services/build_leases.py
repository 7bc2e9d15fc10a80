"""dbt builds of one org run one at a time: two would race for the same relations.

The lease is held by an attempt and is worth as much as the attempt's own lease: when that is lost,
the next one may take this without waiting for anything.
"""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import delete, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import DbtBuildLease, Run
from etlfabric_dagster.schemas.runs import ClaimedRun


async def acquire(claimed: ClaimedRun) -> bool:
    """Take the org's build lease; False while another attempt works with it. Idempotent."""
    statement = insert(DbtBuildLease).values(
        id=uuid4(),
        org_id=claimed.org_id,
        run_id=claimed.run_id,
        token=claimed.token,
        lease_until=func.clock_timestamp(),
    )
    taken = statement.excluded
    # Named as text: as columns they would join the leases of all orgs into the subquery, and
    # another org's build would hold this one up.
    holder = literal_column("dbt_build_leases.run_id")
    token = literal_column("dbt_build_leases.token")
    holder_works = (
        select(Run.id).where(Run.id == holder, Run.token == token, Run.status == "running").exists()
    )
    statement = statement.on_conflict_do_update(
        index_elements=["org_id"],
        set_={"run_id": taken.run_id, "token": taken.token, "lease_until": taken.lease_until},
        where=or_(DbtBuildLease.token == taken.token, ~holder_works),
    )
    async with get_session() as session:
        return await session.scalar(statement.returning(DbtBuildLease.id)) is not None


async def release(claimed: ClaimedRun) -> None:
    """Give it back, if it is still this attempt's. Idempotent."""
    async with get_session() as session:
        await session.execute(delete(DbtBuildLease).where(DbtBuildLease.token == claimed.token))
