"""Which columns may serve as a cursor, the fittest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypedDict

from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.connectors.update_cursor import moves_on_update

CHEAP_ROWS = 100_000  # an unindexed look for NULLs in that many rows takes some 10 ms
_INTEGERS = ("smallint", "integer", "bigint")


class Cursors(TypedDict):
    """Fields of `DiscoveredStream`."""

    cursor_candidates: tuple[str, ...]
    update_cursor: str | None


def rank_cursors(
    columns: Sequence[SourceColumn],
    indexed: Collection[str],
    primary_key: Sequence[str],
    never_null: Collection[str],
) -> Cursors:
    """Times and dates, and a table's only integer key; those that see updates first, then indexed.

    A column that holds NULLs is no candidate: Incremental would miss such rows.
    """
    fit = [c for c in columns if may_be_cursor(c, primary_key) and c.name in never_null]
    order = {c.name: at for at, c in enumerate(columns)}
    ranked = sorted(
        fit,
        key=lambda c: (
            c.kind == "number",
            not moves_on_update(c.name),
            c.name not in indexed,
            c.kind == "date",
            order[c.name],
        ),
    )
    names = tuple(c.name for c in ranked)
    moving = (c.name for c in ranked if c.kind != "number" and moves_on_update(c.name))
    return Cursors(cursor_candidates=names, update_cursor=next(moving, None))


def may_be_cursor(column: SourceColumn, primary_key: Sequence[str]) -> bool:
    """By type alone: times and dates, or the integer that is the primary key."""
    if column.kind in ("time", "date"):
        return True
    return column.pg_type in _INTEGERS and list(primary_key) == [column.name]
