"""Which columns of a stream are read, under which names, and what is done to their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import partial
from typing import Any

from etlfabric_dagster.connectors.base import LOAD_ID, ROW_HASH, ExtractContext
from etlfabric_dagster.connectors.policies import apply_policy
from etlfabric_dagster.connectors.rawfile import column_hints, raw_name
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode, StreamPlan

MAX_COLUMNS = 1590  # a PostgreSQL table has at most 1,600, the loader's own included
_REWRITTEN = (ColumnPolicy.HASH, ColumnPolicy.MASK)


@dataclass(frozen=True)
class Field:
    """One column on its way."""

    column: SourceColumn
    raw: str
    policy: ColumnPolicy
    hints: dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """The columns of one raw file."""

    stream: str
    fields: tuple[Field, ...]
    load_id: str
    row_hash: bool
    hash_key: str = attribute(repr=False)
    warn: Callable[[str], None]

    @property
    def names(self) -> list[str]:
        """The header."""
        own = [ROW_HASH] if self.row_hash else []
        return [field.raw for field in self.fields] + own + [LOAD_ID]

    @property
    def hints(self) -> dict[str, dict[str, Any]]:
        """dlt hints of every column of the header."""
        own = {name: {**column_hints("text"), "nullable": False} for name in (ROW_HASH, LOAD_ID)}
        found = {field.raw: field.hints for field in self.fields}
        return {name: {"name": name, **(found | own)[name]} for name in self.names}

    @property
    def rewritten(self) -> tuple[Field, ...]:
        """The columns whose values pass through Python; they come first."""
        return tuple(field for field in self.fields if field.policy in _REWRITTEN)

    @property
    def kept(self) -> tuple[Field, ...]:
        """The columns whose values stay as they are."""
        return tuple(field for field in self.fields if field.policy not in _REWRITTEN)

    def rewrite(self, values: Sequence[bytes | None]) -> list[bytes | None]:
        """The values of the `rewritten` columns with their policies applied."""
        pairs = zip(self.fields, values, strict=False)
        return [self._apply(field.policy, value) for field, value in pairs]

    def _apply(self, policy: ColumnPolicy, value: bytes | None) -> bytes | None:
        text = None if value is None else value.decode()
        done = apply_policy(policy, text, self.hash_key)
        return None if done is None else done.encode()


def lay_out(
    plan: StreamPlan, columns: Sequence[SourceColumn], context: ExtractContext, load_id: str
) -> Layout:
    """Resolve a plan against the columns the table has now.

    Raises:
        ConnectorError: two columns become one (`duplicate_column`), a key is not read, or
            whatever `context.accept` raises.
    """
    fields = [field for column in columns if (field := _field(plan, column, context))]
    _refuse_collisions(plan, fields)
    accepted = set(context.accept(plan.name, {field.raw: field.hints for field in fields}))
    kept = [field for field in fields if field.raw in accepted]
    kept.sort(key=lambda field: field.policy not in _REWRITTEN)
    if len(kept) > MAX_COLUMNS:
        raise problems.too_many_columns(plan.name, len(kept), MAX_COLUMNS)
    for key in plan.primary_key:
        if raw_name(key) not in {field.raw for field in kept}:
            raise problems.no_column(plan.name, key, "primary key")
    for field in kept:
        if field.column.note and field.policy is ColumnPolicy.KEEP:
            context.warn(plan.name, f"{field.column.name}: {field.column.note}")
    return Layout(
        plan.name,
        tuple(kept),
        load_id,
        plan.mode is LoadMode.SCD2,
        context.hash_key,
        partial(context.warn, plan.name),
    )


def _field(plan: StreamPlan, column: SourceColumn, context: ExtractContext) -> Field | None:
    raw = raw_name(column.name)
    policy = plan.columns.get(column.name, plan.columns.get(raw, ColumnPolicy.KEEP))
    if policy is ColumnPolicy.DROP:
        return None
    if raw.startswith("_dlt_") or raw == ROW_HASH:
        context.warn(plan.name, f"{column.name} was left out: the loader keeps its own there.")
        return None
    pg_type = "text" if policy in _REWRITTEN else column.pg_type
    return Field(column, raw, policy, column_hints(pg_type))


def _refuse_collisions(plan: StreamPlan, fields: Sequence[Field]) -> None:
    taken: dict[str, str] = {}
    for field in fields:
        name = field.column.name
        if field.raw in taken:
            raise ConnectorError(
                f"{plan.name} has {taken[field.raw]} and {name}; both become {field.raw}. "
                "The stream was not loaded.",
                "Drop or rename one.",
                code="duplicate_column",
                stream=plan.name,
                column=field.raw,
            )
        taken[field.raw] = name
