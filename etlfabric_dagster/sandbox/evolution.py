"""Fitting a raw table to the data that arrives: wider types in place, others only by replacement.

| the new type                                   | what happens                                  |
| ---------------------------------------------- | --------------------------------------------- |
| fits into the column                           | nothing, the column stays                     |
| holds all the column can hold (int → bigint)   | the column is altered, its values stay        |
| anything else, and the column is empty         | the column is altered                         |
| anything else, and the table is being replaced | altered in the transaction that replaces it   |
| anything else                                  | the stream fails, its old rows stay           |

Views on the table survive (see `views`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from etlfabric_dagster.errors import LoadError
from etlfabric_dagster.sandbox import catalog, types, views
from etlfabric_dagster.sandbox.catalog import Tables
from etlfabric_dagster.schemas.jobs import Warehouse


@dataclass(frozen=True)
class Retype:
    """A column that gets another type."""

    table: str
    column: str
    old: str
    new: str
    keeps_values: bool = True
    """Whether its values are cast; otherwise the column is empty by then."""


@dataclass
class Evolution:
    """What a load does to existing columns: `now`, before it, and `later`, as it replaces."""

    now: list[Retype] = field(default_factory=list)
    later: list[Retype] = field(default_factory=list)


def plan(
    conn: psycopg.Connection,
    warehouse: Warehouse,
    stream: str,
    existing: Tables,
    wanted: Tables,
    *,
    replaces: bool,
) -> Evolution:
    """Compare the table as it is with the types the data has.

    Raises LoadError (`type_changed`) for a change that would lose or refuse values.
    """
    found = Evolution()
    for table, columns in wanted.items():
        for column, new in columns.items():
            old = existing.get(table, {}).get(column)
            if old is None or types.canonical(old) == types.canonical(new):
                continue
            retype = Retype(table, column, old, new)
            if types.fits(new, old) and old != "text":
                continue
            if types.fits(old, new):
                found.now.append(retype)
            elif not catalog.has_values(conn, warehouse.raw, table, column):
                found.now.append(replace(retype, keeps_values=False))
            elif types.fits(new, old) or (old == "text" and not replaces):
                continue
            elif replaces:
                found.later.append(replace(retype, keeps_values=False))
            else:
                raise _type_changed(stream, retype)
    return found


def apply(conn: psycopg.Connection, schema: str, retypes: list[Retype]) -> list[str]:
    """Alter the columns, in one transaction. Returns views that did not survive."""
    if not retypes:
        return []
    tables = sorted({retype.table for retype in retypes})
    with views.set_aside(conn, schema, tables) as lost:
        for retype in retypes:
            conn.execute(alter(schema, retype))
    return lost


def alter(schema: str, retype: Retype) -> sql.Composed:
    """The statement. Raises LoadError for a type that is none."""
    using = sql.Identifier(retype.column) if retype.keeps_values else sql.SQL("NULL")
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}::{}").format(
        sql.Identifier(schema, retype.table),
        sql.Identifier(retype.column),
        type_sql(retype.new),
        using,
        type_sql(retype.new),
    )


def type_sql(name: str) -> sql.SQL:
    """The type as SQL. Raises LoadError for a spelling that is not a plain type."""
    if types.parse(name) is None:
        raise LoadError(f"“{name}” is no type of PostgreSQL.", "Report this to your operator.")
    return sql.SQL(name)  # pyright: ignore[reportArgumentType]


def drop_outdated(
    conn: psycopg.Connection, warehouse: Warehouse, root: str, wanted: Mapping[str, Mapping]
) -> None:
    """Drop staging tables whose types are not the data's; dlt makes them again."""
    staged = catalog.read_tables(conn, warehouse.raw_staging, [root])
    for table, columns in catalog.family(staged, root).items():
        expected = wanted.get(table, {})
        if any(
            column in expected and types.canonical(expected[column]) != types.canonical(kind)
            for column, kind in columns.items()
        ):
            conn.execute(
                sql.SQL("DROP TABLE {}").format(sql.Identifier(warehouse.raw_staging, table))
            )


def _type_changed(stream: str, retype: Retype) -> LoadError:
    return LoadError(
        f"{retype.column} of {stream} changed from {retype.old} to {retype.new}, which cannot hold"
        " all its old values. Nothing of it was loaded; its old rows stay.",
        f"Load {stream} again from the start: a full refresh replaces the column.",
        code="type_changed",
        stream=stream,
        column=retype.column,
        old_type=retype.old,
        new_type=retype.new,
    )
