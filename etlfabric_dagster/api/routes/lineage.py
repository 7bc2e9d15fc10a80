"""Lineage from source to mart."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from etlfabric_dagster.api.deps import Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.data import Lineage
from etlfabric_dagster.services import lineage

router = org_router("lineage")


@router.get("")
async def get_lineage(
    scope: Scoped,
    focus: Annotated[str | None, Query(max_length=500, description="A node's id.")] = None,
    depth: Annotated[int | None, Query(ge=0, le=50)] = None,
    columns: bool = False,
) -> Lineage:
    """All of it, or what is around one node."""
    return await lineage.graph(scope, focus=focus, depth=depth, columns=columns)
