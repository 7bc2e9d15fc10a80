"""All orgs of the install. Operators only."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.fleet import CreateReport, FleetStatus, OrgSpec
from etlfabric_dagster.services import fleet

router = make_router("fleet")

MOST_ORGS = 1_000  # a request; create_many goes on where an earlier one ended


class OrgsIn(Value):
    """Orgs to create, each with what it starts with."""

    orgs: Annotated[tuple[OrgSpec, ...], Field(min_length=1, max_length=MOST_ORGS)]


@router.get("")
async def get_fleet(
    actor: CurrentActor,
    limit: Annotated[int, Query(ge=1, le=fleet.MAX_SHOWN, description="Orgs at most.")] = 200,
) -> FleetStatus:
    """How orgs stand, the worst first: freshness, failures, queue, lag; and the totals of all."""
    return await fleet.status(actor, limit=limit)


@router.post("/orgs")
async def create_orgs(actor: CurrentActor, given: OrgsIn) -> CreateReport:
    """Create many orgs. One that fails stops no other; the same list again completes the rest."""
    return await fleet.create_many(actor, given.orgs)
