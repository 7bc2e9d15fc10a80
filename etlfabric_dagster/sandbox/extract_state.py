"""dlt's pipeline of one run: its state and schemas, cached or restored, and the connector's state.

The connector's own state is part of dlt's, so that it commits with the load or not at all.
"""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import dlt
from dlt.common.json import json as dlt_json
from dlt.common.schema import Schema
from dlt.common.schema.utils import get_nested_tables, has_table_seen_data, is_complete_column
from dlt.pipeline.pipeline import Pipeline

from etlfabric_dagster.sandbox.catalog import Tables
from etlfabric_dagster.sandbox.destination import TenantPostgres

OWN_SOURCE = "etlfabric"
"""Key beside dlt's sources in its state."""
_STATE, _SCHEMAS = "state.json", "schemas"
_UNREADABLE = (ValueError, KeyError, zlib.error)


class LoadPipeline(Pipeline):
    """dlt's pipeline with a place for the connector's state (dlt 1.31)."""

    own_state: dict[str, Any]
    """`{"connector": …, "removed": …}`, written into dlt's state by the next extraction."""
    before_state: Callable[[], None] | None = None
    """Called when a stream was read and before its state is written."""

    def _bump_version_and_extract_state(
        self, state: Any, extract_state: bool, extract: Any = None, *a: Any, **kw: Any
    ) -> None:
        # Called with an Extract at the end of an extraction, just before its state is packed.
        if extract is not None:
            if self.before_state:
                self.before_state()
            state.setdefault("sources", {})[OWN_SOURCE] = deepcopy(self.own_state)
        arguments: Any = (state, extract_state, extract, *a)
        super()._bump_version_and_extract_state(*arguments, **kw)

    @classmethod
    def without_destination(cls, folder: Path, destination: TenantPostgres) -> LoadPipeline:
        """A pipeline that may extract and normalise but restores nothing."""
        pipeline = dlt.pipeline(
            "warm",
            pipelines_dir=str(folder),
            destination=destination,
            dataset_name="x",
            _impl_cls=cls,
        )
        pipeline.own_state = {}
        return pipeline

    @property
    def default_schema(self) -> Schema:
        """As dlt's, which reads the file anew each time: in this folder nobody else writes."""
        return (
            self._schema_storage.live_schemas.get(self.default_schema_name)
            or super().default_schema
        )

    def read_own_state(self) -> None:
        """Take the connector's state from dlt's."""
        found = self.state.get("sources", {}).get(OWN_SOURCE, {})
        self.own_state = {"connector": {}, "removed": {}} | deepcopy(dict(found))

    def last_values(self, table: str) -> Any:
        """The last cursor value that dlt keeps for a resource; None without one."""
        return _last_value(self.state, self.schema_name, table)

    def forget(self, stream: str, table: str) -> None:
        """Drop the stream's cursors: it is read from its start again."""
        self.own_state["connector"].pop(stream, None)
        with self.managed_state() as state:
            source = state.get("sources", {}).get(self.schema_name, {})
            source.get("resources", {}).pop(table, None)

    @property
    def schema_name(self) -> str:
        """One dlt schema per pipeline; all pipelines of an org share dlt's tables."""
        return self.pipeline_name

    def table_names(self, root: str) -> list[str]:
        """The root and its nested tables that ever had rows, parents first."""
        return self.families([root])[root]

    def families(self, roots: Iterable[str]) -> dict[str, list[str]]:
        """The same for several roots; dlt parses its schema anew each time it is asked for it."""
        tables: Any = self.default_schema.tables if self.default_schema_name else {}
        nested: Any = get_nested_tables
        return {
            root: [t["name"] for t in nested(tables, root) if has_table_seen_data(t)]
            if root in tables
            else []
            for root in roots
        }

    def parent_of(self, table: str) -> str | None:
        """The nested table's parent."""
        return self.default_schema.tables[table].get("parent")

    def wanted_types(self, root: str) -> Tables:
        """Table → column → destination type, as dlt would create them now."""
        mapper = self._get_destination_capabilities().get_type_mapper()
        return {
            table["name"]: {
                name: mapper.to_destination_type(column, table)  # pyright: ignore[reportArgumentType]
                for name, column in table["columns"].items()
                if is_complete_column(column)
            }
            for table in self._family(root)
            if has_table_seen_data(table)
        }

    def _family(self, root: str) -> list[Any]:
        tables = self.default_schema.tables if self.default_schema_name else {}
        return get_nested_tables(tables, root) if root in tables else []

    def pack(self) -> str:
        """State and schemas as they stand, opaque."""
        folder = Path(self.working_dir)
        schemas = {path.name: path.read_text() for path in (folder / _SCHEMAS).glob("*.json")}
        body = {"state": (folder / _STATE).read_text(), "schemas": schemas}
        return base64.b64encode(zlib.compress(json.dumps(body).encode())).decode()


class PackedState:
    """What `pack` wrote, read without dlt's pipeline, which takes longer to open than a probe."""

    def __init__(self, name: str, state: dict[str, Any], tables: dict[str, Any]) -> None:
        self._name, self._state, self._tables = name, state, tables
        found = state.get("sources", {}).get(OWN_SOURCE, {})
        self.own_state: dict[str, Any] = {"connector": {}, "removed": {}} | found

    @classmethod
    def read(cls, name: str, packed: str | None) -> PackedState | None:
        """None when there is none, or it cannot be read."""
        try:
            body = _unpacked(packed or "")
            schema = json.loads(body["schemas"].get(f"{name}.schema.json", "{}"))
            return cls(name, dlt_json.typed_loads(body["state"]), schema.get("tables", {}))
        except _UNREADABLE:
            return None

    def last_values(self, table: str) -> Any:
        """See `LoadPipeline.last_values`."""
        return _last_value(self._state, self._name, table)

    def families(self, roots: Iterable[str]) -> dict[str, list[str]]:
        """See `LoadPipeline.families`."""
        return {root: self._family(root) for root in roots}

    def parent_of(self, table: str) -> str | None:
        """See `LoadPipeline.parent_of`."""
        return self._tables[table].get("parent")

    def _family(self, root: str) -> list[str]:
        """The root and what is nested in it, parents first, as far as it ever had rows."""
        found = [root] if root in self._tables else []
        for parent in found:
            found += [name for name, table in self._tables.items() if table.get("parent") == parent]
        return [name for name in found if has_table_seen_data(self._tables[name])]


def open_pipeline(
    name: str, folder: Path, destination: TenantPostgres, dataset: str, packed: str | None
) -> LoadPipeline:
    """The pipeline in a fresh working folder, from `packed` or else from the destination."""
    working_dir = folder / name
    shutil.rmtree(working_dir, ignore_errors=True)
    restored = packed is not None and _unpack(packed, working_dir)
    pipeline = dlt.pipeline(
        name,
        pipelines_dir=str(folder),
        destination=destination,
        dataset_name=dataset,
        _impl_cls=LoadPipeline,
    )
    pipeline.own_state = {"connector": {}, "removed": {}}
    if not restored:
        pipeline.sync_destination()
    pipeline.read_own_state()
    return pipeline


def _unpack(packed: str, working_dir: Path) -> bool:
    """Put cached state and schemas where dlt looks; False when they cannot be read."""
    try:
        body = _unpacked(packed)
        state, schemas = body["state"], body["schemas"]
    except _UNREADABLE:
        return False
    (working_dir / _SCHEMAS).mkdir(parents=True)
    (working_dir / _STATE).write_text(state)
    for name, text in schemas.items():
        (working_dir / _SCHEMAS / Path(name).name).write_text(text)
    return True


def _unpacked(packed: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def _last_value(state: Any, source: str, table: str) -> Any:
    resources = state.get("sources", {}).get(source, {}).get("resources", {})
    cursors = resources.get(table, {}).get("incremental", {})
    return next((cursor.get("last_value") for cursor in cursors.values()), None)
