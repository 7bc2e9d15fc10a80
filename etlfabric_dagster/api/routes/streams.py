"""Streams as the panel asks for them: offered, edited in bulk, planned."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.discovered import (
    BulkChange,
    BulkReport,
    EditPlan,
    OfferedPage,
    PendingColumn,
    StreamFilter,
)
from etlfabric_dagster.schemas.streams import LoadMode
from etlfabric_dagster.services import discovered, edits

router = org_router("streams")

PipelineName = Annotated[str, Query(max_length=60)]


class BulkEdit(Value):
    """What to change on which streams of a pipeline."""

    pipeline: str
    only: StreamFilter = StreamFilter()
    change: BulkChange


class PlannedEdit(Value):
    """Streams as `pipelines update` would be given them."""

    pipeline: str
    streams: dict[str, Any] | Literal["all"]


@router.get("")
async def list_offered_streams(
    scope: Scoped,
    page: PageQuery,
    connection: Annotated[str, Query(max_length=60)],
    pipeline: Annotated[str | None, Query(max_length=60)] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    selected: bool | None = None,
    mode: LoadMode | None = None,
    has_cursor: bool | None = None,
) -> OfferedPage:
    """What a connection offered when it was last discovered, as a pipeline has it set."""
    only = StreamFilter(q=q, selected=selected, mode=mode, has_cursor=has_cursor)
    return await discovered.list_streams(
        scope, connection, pipeline=pipeline, only=only, cursor=page.cursor, limit=page.limit
    )


@router.post("/edit")
async def edit_streams(actor: CurrentActor, slug: Slug, given: BulkEdit) -> BulkReport:
    """Apply a change to every stream that the filter means."""
    return await discovered.edit_all(actor, slug, given.pipeline, given.only, given.change)


@router.post("/plan")
async def plan_edit(scope: Scoped, given: PlannedEdit) -> EditPlan:
    """What an edit would reload, add and remove; nothing is changed."""
    return await edits.plan(scope, given.pipeline, given.streams)


@router.get("/pending")
async def list_pending_columns(scope: Scoped, pipeline: PipelineName) -> Page[PendingColumn]:
    """New columns at which the newest run of a frozen pipeline stopped."""
    return Page(items=await edits.pending_columns(scope, pipeline))
