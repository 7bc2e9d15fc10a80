"""What a load changed: tables and columns before and after, as PostgreSQL spells them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from etlfabric_dagster.sandbox import types
from etlfabric_dagster.sandbox.catalog import Columns, Tables
from etlfabric_dagster.sandbox.extract_policy import DLT_PREFIX, OWN_PREFIX
from etlfabric_dagster.schemas.streams import ColumnInfo, SchemaChange, StreamPlan, TableSchema


def compare(stream: str, before: Tables, after: Tables) -> Iterator[SchemaChange]:
    """Tables added, columns added, widened and retyped; dlt's own columns are no news."""
    for table, columns in after.items():
        if table not in before:
            yield SchemaChange(stream=stream, table=table, column=None, change="table_added")
        else:
            yield from _compare_columns(stream, table, before[table], columns)


def _compare_columns(
    stream: str, table: str, before: Columns, after: Columns
) -> Iterator[SchemaChange]:
    for column, new in after.items():
        old = before.get(column)
        if is_own(column) or old == new:
            continue
        change = "added" if old is None else "type_changed"
        if old is not None and types.fits(old, new):
            change = "widened"
        yield SchemaChange(
            stream=stream, table=table, column=column, change=change, old_type=old, new_type=new
        )


def missing(before: Columns, seen: Iterable[str] | None) -> list[str]:
    """Columns of the table that the source has no more; none while its columns are unknown."""
    if seen is None:
        return []
    present = set(seen)
    return [name for name in before if name not in present and not is_own(name)]


def removed(stream: StreamPlan, before: Columns, names: Iterable[str]) -> Iterator[SchemaChange]:
    """The news that the source dropped columns; the raw table keeps them."""
    for name in names:
        yield SchemaChange(
            stream=stream.name,
            table=stream.table,
            column=name,
            change="removed",
            old_type=before[name],
        )


def describe(
    stream: StreamPlan,
    tables: Tables,
    primary_key: tuple[str, ...],
    parent_of: Callable[[str], str | None],
) -> tuple[TableSchema, ...]:
    """The stream's tables as they stand, the root first."""
    names = sorted(tables, key=lambda name: (name != stream.table, name))
    return tuple(
        TableSchema(
            table=name,
            stream=stream.name,
            parent=None if name == stream.table else parent_of(name),
            primary_key=primary_key if name == stream.table else (),
            mode=stream.mode,
            columns=tuple(ColumnInfo(name=n, type=t) for n, t in tables[name].items()),
        )
        for name in names
    )


def is_own(column: str) -> bool:
    """Whether dlt or the platform made the column."""
    return column.startswith((DLT_PREFIX, OWN_PREFIX))
