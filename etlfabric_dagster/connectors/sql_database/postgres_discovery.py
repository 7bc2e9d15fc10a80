"""What a PostgreSQL schema offers, from its catalog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import sql

from etlfabric_dagster.connectors.sql_database.cursors import (
    CHEAP_ROWS,
    may_be_cursor,
    rank_cursors,
)
from etlfabric_dagster.connectors.sql_database.postgres_types import COLUMNS, source_column
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream

Query = Callable[..., list[tuple[Any, ...]]]


TABLES = """
select c.relname, c.oid, has_any_column_privilege(c.oid, 'select'), c.relkind,
       case when c.reltuples >= 0 and c.relkind in ('r', 'p', 'm') then c.reltuples::bigint
            when c.relkind in ('r', 'm') then nullif(pg_stat_get_live_tuples(c.oid), 0) end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
order by c.relname
"""
OID = """
select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
SCHEMAS = """
select nspname from pg_namespace
where has_schema_privilege(oid, 'usage') and nspname !~ '^pg_' and nspname <> 'information_schema'
order by nspname
"""
_PRIMARY_KEY = """
select a.attname from pg_index i
cross join unnest(i.indkey) with ordinality as k(attnum, at)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = %s and i.indisprimary order by k.at
"""
_INDEXED = """
select distinct a.attname from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where i.indrelid = %s and i.indisvalid and i.indpred is null
"""
_NULL_FRACTION = """
select attname from pg_stats where schemaname = %s and tablename = %s and null_frac = 0
"""


def discover(query: Query, schema: str) -> list[DiscoveredStream]:
    """Every readable table and view of `schema`."""
    rows = query(TABLES, (schema,))
    return [
        _stream(query, schema, name, oid, estimate)
        for name, oid, readable, _, estimate in rows
        if readable
    ]


def table_columns(query: Query, oid: int) -> list[SourceColumn]:
    """The columns that the user may read, in order."""
    return [source_column(row) for row in query(COLUMNS, (oid,))]


def _stream(
    query: Query, schema: str, name: str, oid: int, estimate: int | None
) -> DiscoveredStream:
    columns = table_columns(query, oid)
    readable = {column.name for column in columns}
    key = [row[0] for row in query(_PRIMARY_KEY, (oid,))]
    indexed = {row[0] for row in query(_INDEXED, (oid,))}
    key = key if set(key) <= readable else []
    full = _never_null(query, schema, name, columns, key, indexed, estimate)
    return DiscoveredStream(
        name=name,
        columns=tuple(ColumnInfo(name=c.name, type=c.type, nullable=c.nullable) for c in columns),
        primary_key=tuple(key),
        cursor_candidates=rank_cursors(columns, indexed, key, full),
        row_estimate=estimate,
    )


def _never_null(
    query: Query,
    schema: str,
    table: str,
    columns: list[SourceColumn],
    key: list[str],
    indexed: set[str],
    estimate: int | None,
) -> set[str]:
    """Columns without a NULL: by declaration, by looking where that is cheap, by statistics."""
    full = {column.name for column in columns if not column.nullable}
    asked = [c for c in columns if c.nullable and may_be_cursor(c, key)]
    if not asked:
        return full
    by_statistics = {row[0] for row in query(_NULL_FRACTION, (schema, table))}
    for column in asked:
        cheap = column.name in indexed or (estimate is not None and estimate <= CHEAP_ROWS)
        if cheap:
            is_full = not _has_null(query, schema, table, column.name)
        else:
            is_full = column.name in by_statistics
        full |= {column.name} if is_full else set()
    return full


def _has_null(query: Query, schema: str, table: str, column: str) -> bool:
    statement = sql.SQL("select exists (select from {} where {} is null)").format(
        sql.Identifier(schema, table), sql.Identifier(column)
    )
    return bool(query(statement)[0][0])
