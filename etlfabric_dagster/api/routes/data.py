"""The data browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.data import (
    DataLayer,
    Profile,
    RowFilter,
    RowPage,
    TableDetail,
    TableInfo,
)
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.services import data, data_pages, data_sql

router = org_router("data")

CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table, with a line of column names.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}

ColumnName = Annotated[str, Query(max_length=200)]
Place = Annotated[str, Query(max_length=40, description="Of the row, as its page told.")]


class RowsIn(Value):
    """Which rows of a table, and where to go on."""

    order_by: Annotated[str | None, Field(max_length=200)] = None
    descending: bool = False
    filters: Annotated[tuple[RowFilter, ...], Field(max_length=data_pages.MAX_FILTERS)] = ()
    cursor: str | None = None
    limit: Annotated[int, Field(ge=1, le=data_sql.MAX_PAGE)] = data.PAGE


class WholeValue(Value):
    """One value as text; null as it is in the table."""

    value: str | None


@router.get("")
async def list_tables(
    scope: Scoped,
    page: PageQuery,
    layer: Annotated[DataLayer | None, Query(alias="schema")] = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[TableInfo]:
    """Tables and views by schema and name, with estimates and sizes."""
    return await data.list_tables(scope, layer=layer, q=q, cursor=page.cursor, limit=page.limit)


@router.get("/{layer}/{table}")
async def get_table(scope: Scoped, layer: str, table: str) -> TableDetail:
    """One table with its columns."""
    return await data.describe(scope, data.layer_named(layer), table)


@router.get("/{layer}/{table}/rows")
async def list_rows(
    actor: CurrentActor,
    slug: Slug,
    layer: str,
    table: str,
    order_by: Annotated[str | None, Query(max_length=200)] = None,
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TableResult:
    """Some rows, in the table's own order unless a column is named."""
    return await data.rows(
        actor,
        slug,
        data.layer_named(layer),
        table,
        order_by=order_by,
        descending=descending,
        offset=offset,
        limit=limit,
    )


@router.post("/{layer}/{table}/page")
async def browse_table(
    actor: CurrentActor, slug: Slug, layer: str, table: str, given: RowsIn
) -> RowPage:
    """Filtered and sorted rows as text of at most 200 characters a value. A page far behind costs
    what the first did; a row's `place` names it for its whole values.
    """
    return await data.page(actor, slug, data.layer_named(layer), table, **dict(given))


@router.get("/{layer}/{table}/value")
async def get_table_value(
    actor: CurrentActor, slug: Slug, layer: str, table: str, column: ColumnName, place: Place
) -> WholeValue:
    """One value, whole, of the row at a place that a page told."""
    value = await data.value(actor, slug, data.layer_named(layer), table, column, place)
    return WholeValue(value=value)


@router.get("/{layer}/{table}/profile")
async def profile_table(actor: CurrentActor, slug: Slug, layer: str, table: str) -> Profile:
    """Nulls, distinct values, least and greatest of each column, in at most 50,000 rows."""
    return await data.profile(actor, slug, data.layer_named(layer), table)


@router.get("/{layer}/{table}/csv", response_class=StreamingResponse, responses=CSV)
async def download_table(
    actor: CurrentActor, slug: Slug, layer: str, table: str
) -> StreamingResponse:
    """The whole table as CSV, streamed."""
    pieces = data.csv(actor, slug, data.layer_named(layer), table)
    first = await anext(pieces)  # what refuses does so before the answer begins

    async def answer() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    name = quote(f"{layer}_{table}.csv")
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(answer(), media_type="text/csv; charset=utf-8", headers=headers)
