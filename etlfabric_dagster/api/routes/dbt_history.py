"""The history of dbt files: list, show, compare, restore."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.dbt_models import DbtModelOut, DbtVersion
from etlfabric_dagster.services import dbt_history, dbt_models

router = org_router("dbt-history")

FilePath = Annotated[str, Query(max_length=500, description="As in `marts/daily_orders.sql`.")]


class Diff(Value):
    """A unified diff; empty when both are equal."""

    diff: str


@router.get("")
async def list_dbt_versions(scope: Scoped, path: FilePath, page: PageQuery) -> Page[DbtVersion]:
    """Versions of a file, newest first, without their content."""
    return await dbt_history.list_versions(scope, path, cursor=page.cursor, limit=page.limit)


@router.get("/{version}")
async def get_dbt_version(scope: Scoped, version: UUID, path: FilePath) -> DbtVersion:
    """One version with its content."""
    return await dbt_history.get(scope, path, version)


@router.get("/{version}/diff")
async def diff_dbt_version(
    scope: Scoped, version: UUID, path: FilePath, against: UUID | None = None
) -> Diff:
    """From a version to the stored file, or to another version."""
    return Diff(diff=await dbt_history.diff(scope, path, version, against))


@router.post("/{version}/restore")
async def restore_dbt_version(
    actor: CurrentActor, slug: Slug, version: UUID, path: FilePath
) -> DbtModelOut:
    """Store an older version again; parsed first."""
    return await dbt_models.restore(actor, slug, path, version)
