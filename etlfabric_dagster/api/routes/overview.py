"""An org at a glance."""

from __future__ import annotations

from etlfabric_dagster.api.deps import PageQuery, Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.health import Overview, PipelineListItem
from etlfabric_dagster.services import overview

router = org_router("overview")


@router.get("")
async def get_overview(scope: Scoped) -> Overview:
    """What fails, what is late, what runs next, and how much was loaded."""
    return await overview.show(scope)


@router.get("/pipelines")
async def list_pipeline_health(scope: Scoped, page: PageQuery) -> Page[PipelineListItem]:
    """Pipelines by name with state, freshness and their last 14 outcomes."""
    return await overview.list_pipelines(scope, cursor=page.cursor, limit=page.limit)
