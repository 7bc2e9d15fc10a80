"""What a PostgreSQL schema offers, from its catalog."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
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
_PRIMARY_KEYS = """
select i.indrelid, a.attname from pg_index i
cross join unnest(i.indkey) with ordinality as k(attnum, at)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = any(%s) and i.indisprimary order by i.indrelid, k.at
"""
_INDEXED = """
select distinct i.indrelid, a.attname from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
where i.indrelid = any(%s) and i.indisvalid and i.indpred is null order by 1
"""
_WITHOUT_NULLS = """
select tablename, attname from pg_stats where schemaname = %s and null_frac = 0
"""


def discover(query: Query, schema: str) -> list[DiscoveredStream]:
    """Every readable table and view of `schema`: four catalog queries, and one look for NULLs per
    table that has a nullable time.
    """
    tables = {
        oid: (name, rows) for name, oid, readable, _, rows in query(TABLES, (schema,)) if readable
    }
    oids = list(tables)
    catalog = Catalog(
        columns={k: [source_column(row) for row in v] for k, v in _by_oid(query(COLUMNS, (oids,)))},
        keys={k: [row[0] for row in v] for k, v in _by_oid(query(_PRIMARY_KEYS, (oids,)))},
        indexed={k: {row[0] for row in v} for k, v in _by_oid(query(_INDEXED, (oids,)))},
        without_nulls=set(query(_WITHOUT_NULLS, (schema,))),
    )
    return [
        _stream(query, catalog, sql.Identifier(schema, name), oid, name, rows)
        for oid, (name, rows) in tables.items()
    ]


def table_columns(query: Query, oid: int) -> list[SourceColumn]:
    """The columns that the user may read, in order."""
    return [source_column(row[1:]) for row in query(COLUMNS, ([oid],))]


@dataclass(frozen=True)
class Catalog:
    """What the catalog says about tables, by oid; `without_nulls` are (table, column) names."""

    columns: dict[int, list[SourceColumn]]
    keys: dict[int, list[str]]
    indexed: dict[int, set[str]]
    without_nulls: set[Any]


def _by_oid(rows: list[tuple[Any, ...]]) -> Iterator[tuple[int, list[tuple[Any, ...]]]]:
    for oid, group in itertools.groupby(rows, key=itemgetter(0)):
        yield oid, [row[1:] for row in group]


def _stream(
    query: Query,
    catalog: Catalog,
    table: sql.Identifier,
    oid: int,
    name: str,
    estimate: int | None,
) -> DiscoveredStream:
    columns, indexed = catalog.columns.get(oid, []), catalog.indexed.get(oid, set())
    readable = {column.name for column in columns}
    key = catalog.keys.get(oid, [])
    key = key if set(key) <= readable else []
    full = {column.name for column in columns if not column.nullable}
    looked_at: list[str] = []
    for column in columns:
        if not column.nullable or not may_be_cursor(column, key):
            continue
        if column.name in indexed or (estimate is not None and estimate <= CHEAP_ROWS):
            looked_at.append(column.name)
        elif (name, column.name) in catalog.without_nulls:
            full.add(column.name)
    full |= _without_nulls(query, table, looked_at)
    return DiscoveredStream(
        name=name,
        columns=tuple(ColumnInfo(name=c.name, type=c.type, nullable=c.nullable) for c in columns),
        primary_key=tuple(key),
        **rank_cursors(columns, indexed, key, full),
        row_estimate=estimate,
    )


def _without_nulls(query: Query, table: sql.Identifier, columns: list[str]) -> set[str]:
    """Those of `columns` that hold no NULL now."""
    if not columns:
        return set()
    looks = [
        sql.SQL("not exists (select from {} where {} is null)").format(table, sql.Identifier(name))
        for name in columns
    ]
    (answers,) = query(sql.SQL("select {}").format(sql.SQL(", ").join(looks)))
    return {name for name, is_full in zip(columns, answers, strict=True) if is_full}
