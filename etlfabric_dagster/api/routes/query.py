"""Queries of an org's data, as its read-only login."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.api.waiting import LATER, WaitS
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.services import dbt_models

router = org_router("query")

MAX_SQL = 100_000


class QueryIn(Value):
    """One statement that reads; search path marts, staging, raw."""

    sql: Annotated[str, Field(min_length=1, max_length=MAX_SQL)]
    limit: Annotated[int, Field(ge=1, le=dbt_models.MAX_ROWS)] = 1000


@router.post("", responses=LATER)
async def query(actor: CurrentActor, slug: Slug, given: QueryIn, wait_s: WaitS = 30) -> TableResult:
    """Rows of a query; nothing can be written with it."""
    return await dbt_models.query(actor, slug, given.sql, limit=given.limit, wait_s=wait_s)
