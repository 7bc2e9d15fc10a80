"""The schema policy while a stream is read: what may be new, and who is told.

File imports ask before they read (`SchemaGate.accept`). For items and Arrow tables dlt asks its
schema about every new table and column; this process answers there, because dlt builds its Schema
objects itself and has no hook (dlt 1.31: `Schema.apply_schema_contract`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.common.schema.utils import is_complete_column

from etlfabric_dagster.connectors.base import PG_TYPE_HINT
from etlfabric_dagster.errors import LoadError
from etlfabric_dagster.sandbox.catalog import Columns
from etlfabric_dagster.schemas.streams import SchemaChange, SchemaPolicy, StreamPlan

DLT_PREFIX = "_dlt_"
OWN_PREFIX = "_fabric_"


class SchemaGate:
    """Decides about new columns and child tables of one stream, and remembers what it refused."""

    def __init__(
        self,
        policy: SchemaPolicy,
        stream: StreamPlan,
        existing: Columns | None,
        accepted: tuple[str, ...] = (),
    ) -> None:
        self._policy = SchemaPolicy.EVOLVE if existing is None else policy  # a new table is free
        self._stream = stream
        self._existing = existing or {}
        self._accepted = set(accepted)
        self.seen: set[str] | None = None
        """Every column the source has now; None while unknown."""
        self._ignored: dict[tuple[str, str | None], SchemaChange] = {}

    @property
    def ignored(self) -> tuple[SchemaChange, ...]:
        """What was left out."""
        return tuple(self._ignored.values())

    def accept(self, _stream: str, columns: Mapping[str, Any]) -> list[str]:
        """Columns of a file import to load. Raises LoadError (`frozen_schema`)."""
        self.saw(columns)
        table = self._stream.table
        return [
            name
            for name, hints in columns.items()
            if name in self._existing or self.takes(table, name, hints)
        ]

    def saw(self, columns: Mapping[str, Any] | list[str]) -> None:
        """Note which columns the source has."""
        self.seen = (self.seen or set()) | set(columns)

    def takes(self, table: str, column: str | None, hints: Mapping[str, Any]) -> bool:
        """Whether something new is loaded; a `column` of None means the table itself."""
        name = column or table
        own = name.startswith((DLT_PREFIX, OWN_PREFIX))
        if own or self._policy is SchemaPolicy.EVOLVE or name in self._accepted:
            return True
        kind = _type_of(hints) if column else None
        if self._policy is SchemaPolicy.FREEZE:
            raise _frozen(self._stream.name, table, column, kind)
        self._ignored[table, column] = SchemaChange(
            stream=self._stream.name,
            table=table,
            column=column,
            change="added" if column else "table_added",
            new_type=kind,
            decision="ignored",
        )
        return False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Answer dlt's questions while the block runs."""
        before = Schema.apply_schema_contract
        gate = self

        def answer(schema: Schema, _contract: Any, partial_table: Any, *_: Any, **__: Any) -> Any:
            return gate.filter(schema, partial_table)

        Schema.apply_schema_contract = answer  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            Schema.apply_schema_contract = before

    def filter(self, schema: Schema, partial_table: Any) -> tuple[Any, list[tuple[str, str, str]]]:
        """dlt's answer: the update without what is not taken, and filters for the rows."""
        table = partial_table["name"]
        if self._policy is SchemaPolicy.EVOLVE or table in schema.dlt_table_names():
            return partial_table, []
        known: Any = schema.tables.get(table)
        if known is None and table != self._stream.table and not self.takes(table, None, {}):
            return None, [("tables", table, "discard_row")]
        if known is None:
            return partial_table, []
        refused = [
            name
            for name, column in partial_table["columns"].items()
            if _is_new(name, known["columns"]) and not self.takes(table, name, column)
        ]
        for name in refused:
            partial_table["columns"].pop(name)
        return partial_table, [("columns", name, "discard_value") for name in refused]


def _is_new(name: str, columns: Mapping[str, TColumnSchema]) -> bool:
    return name not in columns or not is_complete_column(columns[name])


def _type_of(hints: Mapping[str, Any]) -> str | None:
    return hints.get(PG_TYPE_HINT) or hints.get("data_type")


def _frozen(stream: str, table: str, column: str | None, kind: str | None) -> LoadError:
    what = f"column, {column} ({kind})" if column else f"nested table, {table}"
    return LoadError(
        f"{stream} has a new {what}, and this pipeline is frozen."
        f" {stream} was not loaded; its old rows stay.",
        "Accept or ignore the column.",
        code="frozen_schema",
        stream=stream,
        table=table,
        column=column or table,
        type=kind,
    )
