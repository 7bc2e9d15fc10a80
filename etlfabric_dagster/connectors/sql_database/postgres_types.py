"""Columns of a PostgreSQL table and the types that a raw table can have."""

from __future__ import annotations

from typing import Any

from etlfabric_dagster.connectors.sql_database.types import SourceColumn, kind_of

# Types that every supported destination (PostgreSQL 15 on) has and reads back from its text.
# Others arrive as text; enums too, silently: that is their text.
_SAME = frozenset(
    """
    bit bool box bpchar bytea char cidr circle date daterange datemultirange float4 float8 inet
    int2 int4 int8 int4multirange int4range int8multirange int8range interval json jsonb jsonpath
    line lseg macaddr macaddr8 name nummultirange numrange numeric oid path pg_lsn point polygon
    text time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange
    tsvector uuid varbit varchar xid xid8
    """.split()  # noqa: SIM905 - a list of 60 strings reads worse
)
_TEXT_ANYWAY = frozenset({"citext"})

COLUMNS = """
with recursive chain as (
  select a.attrelid, a.attnum, a.attname, a.attnotnull,
         format_type(a.atttypid, a.atttypmod) as declared,
         a.atttypid as typid, a.atttypmod as typmod
  from pg_attribute a
  where a.attrelid = any(%s) and a.attnum > 0 and not a.attisdropped
    and has_column_privilege(a.attrelid, a.attnum, 'select')
  union all
  select c.attrelid, c.attnum, c.attname, c.attnotnull or t.typnotnull, c.declared, t.typbasetype,
         case when t.typtypmod = -1 then c.typmod else t.typtypmod end
  from chain c join pg_type t on t.oid = c.typid where t.typtype = 'd'
)
select c.attrelid, c.attname, c.declared, not c.attnotnull, format_type(t.oid, c.typmod),
       t.typname, t.typtype, n.nspname, e.typname, e.typtype, en.nspname
from chain c
join pg_type t on t.oid = c.typid and t.typtype <> 'd'
join pg_namespace n on n.oid = t.typnamespace
left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
left join pg_namespace en on en.oid = e.typnamespace
order by c.attrelid, c.attnum
"""
"""Columns of tables, by oid. Domains are followed to their base type, whose text is the same."""


def source_column(row: tuple[Any, ...]) -> SourceColumn:
    """One row of `COLUMNS`, without its table, as a column."""
    name, declared, nullable, base, *parts = row
    pg_type, note = _destination(base, *parts)
    return SourceColumn(name, declared, pg_type, nullable, kind_of(pg_type), note)


def _destination(
    base: str,
    name: str,
    sort: str,
    schema: str,
    element: str | None,
    element_sort: str | None,
    element_schema: str | None,
) -> tuple[str, str]:
    """The raw column's type, and what changes on the way."""
    if element is not None:
        if element_schema == "pg_catalog" and element in _SAME:
            return base, ""
        text = element_sort == "e" or element in _TEXT_ANYWAY
        return "text[]", "" if text else f"values of {base} arrive as the text PostgreSQL prints."
    if schema == "pg_catalog" and name == "money":
        return "numeric", "money arrives as numeric, without its currency."
    if schema == "pg_catalog" and name in _SAME:
        return base, ""
    if sort == "e" or name in _TEXT_ANYWAY:
        return "text", ""
    return "text", f"values of {base} arrive as the text PostgreSQL prints."
