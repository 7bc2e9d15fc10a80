"""The data browser: tables, columns, rows, profiles, CSV.

Names, sizes and estimates come from the catalog. Whatever opens a table or view does so as the
org's read-only login: a view may hold any function of its tenant.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import RowMapping, text

from etlfabric_dagster.errors import NotFoundError, TransformError
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.data import (
    ColumnProfile,
    DataLayer,
    Profile,
    RowFilter,
    RowPage,
    TableDetail,
    TableInfo,
)
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_dagster.services import data_pages, data_sql, dbt_models, paging, tenants
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

PAGE = 100
CSV_TIMEOUT_S = 600
CSV_CHUNKS_AHEAD = 8

_TABLES = text(
    """
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.reltuples AS rows,
        CASE WHEN c.relkind = 'v' THEN 0 ELSE pg_total_relation_size(c.oid) END AS size_bytes,
        (SELECT count(*) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v', 'm')
      AND c.relname NOT LIKE '\\_dlt\\_%'
      AND (CAST(:q AS text) IS NULL OR strpos(lower(c.relname), lower(:q)) > 0)
      AND (CAST(:name AS text) IS NULL OR c.relname = :name)
      AND (n.nspname, c.relname) > (:after_schema, :after_name)
    ORDER BY n.nspname, c.relname LIMIT :limit
    """
)
_COLUMNS = text(
    """
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS name, NOT a.attnotnull AS nullable,
        format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v', 'm')
      AND (CAST(:name AS text) IS NULL OR c.relname = :name)
      AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY n.nspname, c.relname, a.attnum
    """
)
_KINDS = {b"v": "view", b"m": "materialized_view", "v": "view", "m": "materialized_view"}


def layer_named(name: str) -> DataLayer:
    """The data schema of that name. Raises NotFoundError."""
    try:
        return DataLayer(name)
    except ValueError as exc:
        raise NotFoundError(
            f"There is no schema '{name[:100]}'.", f"Choose among: {', '.join(DataLayer)}."
        ) from exc


async def list_tables(
    scope: OrgScope,
    *,
    layer: DataLayer | None = None,
    q: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[TableInfo]:
    """Tables and views by schema and name, one page."""
    rows = await _tables(scope, layer, q=q, cursor=cursor, limit=limit + 1)
    return paging.page(rows, limit, lambda table: (table.db_schema, table.name))


async def describe(scope: OrgScope, layer: DataLayer, table: str) -> TableDetail:
    """One table with its columns. Raises NotFoundError."""
    found = await _tables(scope, layer, name=table, limit=1)
    if not found:
        raise NotFoundError(
            f"There is no table {layer}.{table[:200]} in '{scope.slug}'.",
            "List the tables; a stream's table comes with its first load.",
        )
    columns = await columns_of(scope, layer, table)
    return TableDetail(**dict(found[0]), column_list=columns.get((layer, table), ()))


async def columns_of(
    scope: OrgScope, layer: DataLayer | None = None, table: str | None = None
) -> dict[tuple[DataLayer, str], tuple[ColumnInfo, ...]]:
    """(schema, table) → columns: of one table, or of all. One query."""
    arguments = {"schemas": list(_schemas(scope.org_id, layer)), "name": table}
    found: dict[tuple[DataLayer, str], tuple[ColumnInfo, ...]] = {}
    for row in (await scope.session.execute(_COLUMNS, arguments)).mappings():
        key = _layer(row["schema"]), row["table"]
        column = ColumnInfo(name=row["name"], type=row["type"], nullable=row["nullable"])
        found[key] = (*found.get(key, ()), column)
    return found


async def rows(
    actor: Actor,
    slug: str,
    layer: DataLayer,
    table: str,
    *,
    order_by: str | None = None,
    descending: bool = False,
    offset: int = 0,
    limit: int = PAGE,
) -> TableResult:
    """Some rows of a table, in its own order unless a column is named.

    Raises NotFoundError, InvalidInputError, and TransformError when a view fails.
    """
    detail, relation = await _open(actor, slug, layer, table)
    sql = data_sql.rows(
        relation, detail, order_by=order_by, descending=descending, offset=offset, limit=limit
    )
    return await dbt_models.query(actor, slug, sql, limit=limit)


async def page(
    actor: Actor,
    slug: str,
    layer: DataLayer,
    table: str,
    *,
    order_by: str | None = None,
    descending: bool = False,
    filters: tuple[RowFilter, ...] = (),
    cursor: str | None = None,
    limit: int = PAGE,
) -> RowPage:
    """Rows for people to look at: long values cut, paged by where the last row stands, so that a
    page far behind costs what the first did. Views, whose rows stand nowhere, count rows instead.

    Raises as `rows`.
    """
    detail, relation = await _open(actor, slug, layer, table)
    asked = data_pages.Asked(order_by, descending, filters, cursor, limit)
    sql = data_pages.statement(relation, detail, asked)
    answer = await dbt_models.query(actor, slug, sql, limit=limit + 1)
    return data_pages.page_of(answer.rows, detail, asked)


async def value(
    actor: Actor, slug: str, layer: DataLayer, table: str, column: str, place: str
) -> str | None:
    """One value, whole, as text; at most a million characters. Raises as `rows`, and NotFoundError
    for a row that is not there any more.
    """
    detail, relation = await _open(actor, slug, layer, table)
    sql = data_pages.one_value(relation, detail, column, place)
    answer = await dbt_models.query(actor, slug, sql, limit=1)
    if not answer.rows:
        raise NotFoundError("That row is gone: the table was built anew.", "Load the page again.")
    return answer.rows[0][0]


async def profile(
    actor: Actor,
    slug: str,
    layer: DataLayer,
    table: str,
    *,
    limit: int | None = data_sql.PROFILED_ROWS,
) -> Profile:
    """Nulls, distinct values, least, greatest and most frequent of each column, in at most `limit`
    rows; None = all.

    Raises as `rows`.
    """
    detail, relation = await _open(actor, slug, layer, table)
    columns = detail.column_list[: data_sql.MAX_PROFILED_COLUMNS]
    sql = data_sql.profile(relation, detail, limit)
    answer = await dbt_models.query(actor, slug, sql, limit=1)
    values = iter(answer.rows[0])
    looked_at = int(next(values))
    return Profile(
        rows=looked_at if limit is None else min(looked_at, limit),
        complete=limit is None or looked_at <= limit,
        columns=tuple(_profile_of(column, [next(values) for _ in range(5)]) for column in columns),
    )


async def csv(actor: Actor, slug: str, layer: DataLayer, table: str) -> AsyncIterator[bytes]:
    """The whole table as CSV with a header, piece by piece; NULL is unquoted, empty text quoted.

    Holds one connection of the org's read-only login until it is read or closed. Raises
    NotFoundError before the first piece.
    """
    _, relation = await _open(actor, slug, layer, table)
    async with org_scope(actor, slug) as scope:
        scope.require_active()
        org_id = scope.org_id
    conn = await _connect(org_id)
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(CSV_CHUNKS_AHEAD)
    copying = asyncio.create_task(_copy(conn, data_sql.everything(relation), pieces))
    try:
        while (piece := await pieces.get()) is not None:
            yield bytes(piece)  # uvloop hands out bytearrays, which no response sends
        await copying
    finally:
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError, TransformError):
            await copying
        conn.terminate()


async def _copy(conn: asyncpg.Connection, sql: str, pieces: asyncio.Queue[bytes | None]) -> None:
    try:
        await conn.copy_from_query(
            sql, output=pieces.put, format="csv", header=True, timeout=CSV_TIMEOUT_S
        )
    except (asyncpg.PostgresError, TimeoutError) as exc:
        raise TransformError(
            f"The table could not be read to its end: {type(exc).__name__}.",
            "Download fewer rows with a query, or run the pipeline again.",
        ) from exc
    finally:
        if not asyncio.current_task().cancelling():  # pyright: ignore[reportOptionalMemberAccess]
            await pieces.put(None)


async def _connect(org_id: UUID) -> asyncpg.Connection:
    warehouse = await tenants.reader_warehouse(org_id)
    return await asyncpg.connect(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse.username,
        password=warehouse.password,
        database=warehouse.database,
        server_settings={"statement_timeout": str(CSV_TIMEOUT_S * 1000)},
    )


async def _open(actor: Actor, slug: str, layer: DataLayer, table: str) -> tuple[TableDetail, str]:
    """The table and how SQL names it."""
    async with org_scope(actor, slug) as scope:
        detail = await describe(scope, layer, table)
        (schema,) = _schemas(scope.org_id, layer)
    return detail, f"{data_sql.quoted(schema)}.{data_sql.quoted(table)}"


async def _tables(
    scope: OrgScope,
    layer: DataLayer | None,
    *,
    q: str | None = None,
    name: str | None = None,
    cursor: str | None = None,
    limit: int,
) -> list[TableInfo]:
    after = paging.decode(cursor, DataLayer, str) if cursor else None
    arguments = {
        "schemas": list(_schemas(scope.org_id, layer)),
        "q": q,
        "name": name,
        "after_schema": _schemas(scope.org_id, after[0])[0] if after else "",
        "after_name": after[1] if after else "",
        "limit": limit,
    }
    found = (await scope.session.execute(_TABLES, arguments)).mappings().all()
    return [_info(row) for row in found]


def _info(row: RowMapping) -> TableInfo:
    kind = _KINDS.get(row["kind"], "table")
    counted = kind != "view" and row["rows"] >= 0
    return TableInfo(
        db_schema=_layer(row["schema"]),
        name=row["name"],
        kind=kind,
        rows_estimate=int(row["rows"]) if counted else None,
        size_bytes=row["size_bytes"],
        columns=row["columns"],
    )


def _profile_of(column: ColumnInfo, values: list[Any]) -> ColumnProfile:
    nulls, distinct, least, greatest, top = values
    return ColumnProfile(
        name=column.name,
        type=column.type,
        nulls=int(nulls),
        distinct=int(distinct),
        min=least,
        max=greatest,
        top=tuple((str(text), int(times)) for text, times in json.loads(top or "[]")),
    )


def _schemas(org_id: UUID, layer: DataLayer | None) -> tuple[str, ...]:
    return tuple(f"tenant_{org_id.hex}_{one}" for one in ([layer] if layer else DataLayer))


def _layer(schema: str) -> DataLayer:
    return DataLayer(schema.rpartition("_")[2])
