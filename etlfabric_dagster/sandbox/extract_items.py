"""What happens to each item between the connector and dlt: policies, row hashes, counting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.items_transform import ItemTransform

from etlfabric_dagster.connectors.base import ROW_HASH
from etlfabric_dagster.connectors.policies import apply_policy
from etlfabric_dagster.sandbox.extract_values import ValueRules
from etlfabric_dagster.schemas.streams import ColumnPolicy

_naming = NamingConvention(63)
MAX_SHAPES = 10_000  # item shapes remembered; others are checked each time


class ItemStep(ItemTransform[Any, dict[str, Any]]):
    """The last step of a stream's pipe, behind the cursor, which needs the values as they came."""

    placement_affinity: ClassVar[float] = 1.5  # dlt's Incremental has 1

    def __init__(
        self,
        rules: ValueRules,
        policies: dict[str, ColumnPolicy],
        hash_key: str,
        on_rows: Callable[[int], None],
        on_columns: Callable[[list[str]], None],
        on_history: Callable[[bool], None] | None,
    ) -> None:
        """`policies` is empty where the connector applied them. `on_history`, for scd2 only, is
        told before the first row whether rows carry a hash of their own.
        """
        super().__init__(lambda item: item)
        self._rules = rules
        self._policies = {_naming.normalize_path(k): v for k, v in policies.items()}
        self._hash_key = hash_key
        self._on_rows, self._on_columns, self._on_history = on_rows, on_columns, on_history
        self._told_apart: set[tuple[str, ...]] = set()
        self._tracks_history = on_history is not None
        self.null_columns: set[str] = set()
        """Columns of Arrow tables without a type: all their values are NULL."""

    def __call__(self, item: Any, meta: Any = None) -> Any:
        if isinstance(meta, ImportFileMeta):
            self._history(has_hash=True)
            self._on_rows(meta.metrics.items_count)
            return item if item is not None else []  # dlt drops None, file and all
        if isinstance(item, list):
            return [self._one(part) for part in item]
        return self._one(item)

    def _one(self, item: Any) -> Any:
        if isinstance(item, pa.Table | pa.RecordBatch):
            self._on_rows(item.num_rows)
            return self._arrow(item)
        self._on_rows(1)
        self._history(has_hash=False)
        if not isinstance(item, dict):
            return item
        self._tell_apart(tuple(item), _naming.normalize_identifier)
        item = self._rules.apply(item)
        return self._mapping(item) if self._policies else item

    def _mapping(self, item: dict[str, Any], above: str = "") -> dict[str, Any]:
        """`above` is the raw name of the object that holds `item`, with the separator."""
        changed = {}
        for name, value in item.items():
            column = above + _naming.normalize_identifier(name)
            policy = self._policies.get(column, ColumnPolicy.KEEP)
            if policy is ColumnPolicy.KEEP:
                below = f"{column}__"
                meant = isinstance(value, dict) and any(p.startswith(below) for p in self._policies)
                changed[name] = self._mapping(value, below) if meant else value
            elif policy is not ColumnPolicy.DROP:
                changed[name] = self._apply(policy, value)
        return changed

    def _arrow(self, item: pa.Table | pa.RecordBatch) -> pa.Table:
        table = item if isinstance(item, pa.Table) else pa.Table.from_batches([item])
        self._tell_apart(tuple(table.column_names), _naming.normalize_path)
        self._on_columns([_naming.normalize_path(name) for name in table.column_names])
        for name in table.column_names:
            policy, index = self._arrow_policy(name), table.column_names.index(name)
            if policy is ColumnPolicy.DROP:
                table = table.drop_columns([name])
            elif policy is not ColumnPolicy.KEEP:
                values = [self._apply(policy, value) for value in table.column(name).to_pylist()]
                table = table.set_column(index, name, pa.array(values, pa.string()))
        self.null_columns |= {
            _naming.normalize_path(field.name)
            for field in table.schema
            if pa.types.is_null(field.type)
        }
        if self._tracks_history:
            table = self._hashed(table)
        return table

    def _tell_apart(self, names: tuple[str, ...], spell: Callable[[str], str]) -> None:
        """Refuse names that become one column: dlt would keep the last value and tell nobody."""
        if names not in self._told_apart:
            spelt = list(map(str, names))
            self._rules.tell_apart(spelt, list(map(spell, spelt)))
            if len(self._told_apart) < MAX_SHAPES:
                self._told_apart.add(names)

    def _hashed(self, table: pa.Table) -> pa.Table:
        self._history(has_hash=True)
        hashes = [row_hash(row) for row in table.to_pylist()]
        return table.append_column(ROW_HASH, pa.array(hashes, pa.string()))

    def _history(self, *, has_hash: bool) -> None:
        if self._on_history:
            self._on_history(has_hash)
            self._on_history = None

    def _arrow_policy(self, name: str) -> ColumnPolicy:
        return self._policies.get(_naming.normalize_path(name), ColumnPolicy.KEEP)

    def _apply(self, policy: ColumnPolicy, value: Any) -> str | None:
        return apply_policy(policy, spelled(value), self._hash_key)


def spelled(value: Any) -> str | None:
    """A value as the text that is hashed: the same for equal values, whatever their type."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)
    return str(value)


def row_hash(row: dict[str, Any]) -> str:
    """Content hash of a row: equal rows, equal hashes; NULL differs from ''."""
    text = json.dumps(row, default=lambda value: [type(value).__name__, str(value)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
