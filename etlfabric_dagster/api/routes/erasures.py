"""What became of an org that is to be erased."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request, Response

from etlfabric_dagster.api.deps import CurrentActor
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.api.waiting import LATER, WaitS, later
from etlfabric_dagster.schemas.orgs import EraseReport
from etlfabric_dagster.services import erasures

router = make_router("erasures")


@router.get("/{org_id}", response_model=EraseReport, responses=LATER)
async def get_erasure(
    request: Request, actor: CurrentActor, org_id: UUID, wait_s: WaitS = 30
) -> EraseReport | Response:
    """What was removed. For who asked for it, and operators."""
    found = await erasures.report(actor, org_id, wait_s)
    return found or later(org_id, request.url.path)
