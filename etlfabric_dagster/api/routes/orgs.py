"""Orgs.

The pattern of every routes module: a `router` from `api.routing`, functions of a few lines that
take what they need from `api.deps`, call one service and return its frozen value. No rule, query
or HTTP status of an error stands here: services raise `FabricError`s, `api.problems` tells them.
The function's name is the operation id of OpenAPI, unique over all modules.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.api.waiting import LATER, NotAnsweredYet, later
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.base import Slug as SlugText
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import erasures, orgs

router = make_router("orgs")


class OrgIn(Value):
    """A new org."""

    slug: SlugText
    name: str


class OrgEdit(Value):
    """What may change about an org."""

    name: Annotated[str, Field(max_length=400)] | None = None
    timezone: Annotated[str, Field(max_length=100)] | None = None
    """IANA zone in which its people read times."""


class LimitsIn(Value):
    """An org's share of the workers; null leaves a limit as it is."""

    max_concurrent_runs: int | None = None
    weight: int | None = None


@router.get("")
async def list_orgs(actor: CurrentActor, page: PageQuery) -> Page[OrgOut]:
    """Orgs of the caller by slug; all of them for operators."""
    return await orgs.list_orgs(actor, page.cursor, page.limit)


@router.post("", status_code=201)
async def create_org(actor: CurrentActor, given: OrgIn) -> OrgOut:
    """An org with its schemas and roles; whoever creates it becomes its owner."""
    return await orgs.create(actor, given.slug, given.name)


@router.get("/{slug}")
async def get_org(actor: CurrentActor, slug: Slug) -> OrgOut:
    """One org."""
    return await orgs.get(actor, slug)


@router.patch("/{slug}")
async def rename_org(scope: Scoped, given: OrgEdit) -> OrgOut:
    """Change the name and the time zone that people see; the slug stays. Owners."""
    return await orgs.edit(scope, name=given.name, timezone=given.timezone)


@router.delete("/{slug}", status_code=202, response_model=NotAnsweredYet, responses=LATER)
async def erase_org(
    request: Request,
    actor: CurrentActor,
    slug: Slug,
    confirm: Annotated[str, Query(max_length=60, description="The slug once more.")] = "",
) -> Response:
    """Close the org now and erase it for good; `Location` tells what was removed. Owners."""
    org_id = await erasures.request(actor, slug, typed=confirm)
    base = request.url.path.partition("/orgs/")[0]
    return later(org_id, f"{base}/erasures/{org_id}")


@router.post("/{slug}/suspend")
async def suspend_org(actor: CurrentActor, slug: Slug) -> OrgOut:
    """Cancel its runs, close its logins, skip its schedules; data is kept. Operators."""
    return await orgs.suspend(actor, slug)


@router.post("/{slug}/resume")
async def resume_org(actor: CurrentActor, slug: Slug) -> OrgOut:
    """Open a suspended org again. Operators."""
    return await orgs.resume(actor, slug)


@router.get("/{slug}/limits")
async def get_org_limits(actor: CurrentActor, slug: Slug) -> OrgOut:
    """The org with its share of the workers."""
    return await orgs.get(actor, slug)


@router.put("/{slug}/limits")
async def set_org_limits(actor: CurrentActor, slug: Slug, given: LimitsIn) -> OrgOut:
    """Set how many runs it may have at once and its weight among orgs that wait. Operators."""
    return await orgs.set_limits(actor, slug, **given.model_dump())
