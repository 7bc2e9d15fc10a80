"""One stream: read it, fit the table, load it. All of it commits, or none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.common.schema import Schema
from dlt.common.schema.utils import new_table
from dlt.extract import DltResource, DltSource

from etlfabric_dagster.connectors.base import LOAD_ID, ROW_HASH, Connector, ExtractContext
from etlfabric_dagster.connectors.rawfile import raw_name
from etlfabric_dagster.errors import LoadError
from etlfabric_dagster.sandbox import (
    catalog,
    evolution,
    extract_append,
    extract_changes,
    extract_nulls,
    types,
)
from etlfabric_dagster.sandbox.catalog import Tables
from etlfabric_dagster.sandbox.destination import LoadPlan
from etlfabric_dagster.sandbox.extract_items import ItemStep
from etlfabric_dagster.sandbox.extract_nulls import NullColumns
from etlfabric_dagster.sandbox.extract_policy import SchemaGate
from etlfabric_dagster.sandbox.extract_state import LoadPipeline
from etlfabric_dagster.sandbox.extract_values import MAX_TABLE_NESTING, ValueRules
from etlfabric_dagster.schemas.jobs import ExtractJob
from etlfabric_dagster.schemas.runs import StreamResult
from etlfabric_dagster.schemas.streams import LoadMode, SchemaPolicy, StreamPlan

LOAD_WORKERS = 4  # COPY streams at once; the login allows 20 connections
ROOT_ID = "_dlt_root_id"
_naming = NamingConvention(63)


def raw_key(connector: Connector, plan: StreamPlan) -> tuple[str, ...]:
    """The key in the raw table's spelling: raw files have their own for letters beyond ASCII, and
    of items a key may lie in an object (`user__id`).
    """
    spell = raw_name if connector.applies_column_policies else _naming.normalize_path
    return tuple(map(spell, plan.primary_key))


@dataclass
class StreamLoad:
    """The load of one stream in this run."""

    job: ExtractJob
    plan: StreamPlan
    connector: Connector
    pipeline: LoadPipeline
    load_plan: LoadPlan
    conn: psycopg.Connection
    before: Tables
    """The stream's tables as they were."""
    workdir: str
    on_progress: Callable[[int], None]
    warnings: list[str] = field(default_factory=list)
    rows: int = 0
    _newly_removed: list[str] = field(default_factory=list)
    _sources: list[DltSource] = field(default_factory=list)
    _nulls: NullColumns = field(default_factory=dict)
    _rules: ValueRules = field(default_factory=lambda: ValueRules(""))

    def run(self) -> StreamResult:
        """Load it. Raises whatever went wrong; then nothing of it is visible."""
        started = time.monotonic()
        self._refuse_impossible()
        self._reload_what_was_dropped()
        if self.plan.full_refresh or not self._by_cursor:
            self.pipeline.forget(self.plan.name, self.plan.table)
        self._remove_unfinished()
        gate, step = self._extract()
        size_bytes = self._load()
        after = self._finish(step)
        return StreamResult(
            rows=self.rows,
            bytes=size_bytes,
            seconds=round(time.monotonic() - started, 3),
            warnings=tuple(self.warnings),
            tables=extract_changes.describe(
                self.plan, after, self.primary_key, self.pipeline.parent_of
            ),
            schema_changes=(
                *extract_changes.compare(self.plan.name, self.before, after),
                *self._removed_news(),
                *gate.ignored,
            ),
        )

    @property
    def primary_key(self) -> tuple[str, ...]:
        """See `raw_key`."""
        return raw_key(self.connector, self.plan)

    @property
    def is_new(self) -> bool:
        """Whether the raw table does not exist yet."""
        return self.plan.table not in self.before

    @property
    def appends(self) -> bool:
        """Whether rows are added to those already there, unmerged."""
        mode = self.plan.mode
        return mode is LoadMode.APPEND or (mode is LoadMode.INCREMENTAL and not self.primary_key)

    @property
    def replaces(self) -> bool:
        """Whether this load puts its rows in place of all others."""
        if self.plan.mode is LoadMode.SCD2:
            return False
        whole = self.plan.full_refresh or self.plan.mode is LoadMode.FULL
        return whole or (self.appends and self.is_new)

    @property
    def _by_cursor(self) -> bool:
        """Whether a cursor is kept; full and scd2 read all rows, whatever the source remembers."""
        return self.plan.mode not in (LoadMode.FULL, LoadMode.SCD2)

    def _refuse_impossible(self) -> None:
        name, mode = self.plan.name, self.plan.mode
        if mode is LoadMode.MERGE and not self.plan.primary_key:
            raise LoadError(
                f"{name} is to be merged but has no primary key.",
                "Choose its primary key, or load it in Full.",
                code="no_primary_key",
                stream=name,
            )
        if mode in (LoadMode.APPEND, LoadMode.INCREMENTAL) and not self.plan.cursor:
            raise LoadError(
                f"{name} is loaded in mode {mode} but has no cursor: every run would load all of"
                " it again.",
                "Choose a cursor, or load it in Full.",
                code="no_cursor",
                stream=name,
            )

    def _reload_what_was_dropped(self) -> None:
        known = self.pipeline.table_names(self.plan.table)
        lost = [table for table in known if table not in self.before]
        if lost and not self.plan.full_refresh:
            self.warnings.append(
                f"{', '.join(lost)} no longer existed; {self.plan.name} was loaded again from its"
                " start."
            )
            self.plan = self.plan.model_copy(update={"full_refresh": True})

    def _remove_unfinished(self) -> None:
        if self.is_new or not self.appends or self.plan.full_refresh:
            return
        chain = [self.plan.table, *(t for t in self.before if t != self.plan.table)]
        extract_append.remove_unfinished(self.conn, self.job.warehouse.raw, self.before, chain)

    def _extract(self) -> tuple[SchemaGate, ItemStep]:
        accepted = self.job.accepted_columns.get(self.plan.name, ())
        root = self.before.get(self.plan.table)
        gate = SchemaGate(self.job.schema_policy, self.plan, root, accepted)
        resource = self._resource(gate)
        step = self._step(gate)
        schema = Schema(self.pipeline.schema_name)
        source = DltSource(schema, "etlfabric", [resource.add_step(step)])
        self._sources = [source]
        source.root_key = True
        source.max_table_nesting = MAX_TABLE_NESTING
        self.pipeline.before_state = lambda: self._note_removed(gate)
        with gate.installed(), extract_nulls.recorded() as self._nulls:
            self.pipeline.extract(source)
            self.pipeline.normalize()
        self.warnings += self._rules.warnings
        return gate, step

    def _resource(self, gate: SchemaGate) -> DltResource:
        context = ExtractContext(
            workdir=self.workdir,
            progress=lambda _stream, rows: self.on_progress(rows),
            warn=lambda _stream, text: self.warnings.append(text),
            state=self.pipeline.own_state["connector"],
            hash_key=self.job.hash_key,
            accept=gate.accept,
        )
        (resource,) = self.connector.resources(self.job.source, (self.plan,), context)
        if self.plan.mode is not LoadMode.SCD2:
            resource.apply_hints(write_disposition=self._disposition())
        if self.plan.mode is LoadMode.SCD2 and self.plan.cursor and self.primary_key:
            resource.apply_hints(merge_key=list(self.primary_key))  # absent rows are not gone
        return resource

    def _disposition(self) -> Any:
        if self.replaces:
            return "replace"
        return "append" if self.appends else "merge"

    def _step(self, gate: SchemaGate) -> ItemStep:
        def keep_history(has_hash: bool) -> None:
            version = {"row_version_column_name": ROW_HASH} if has_hash else {}
            disposition: Any = {"disposition": "merge", "strategy": "scd2", **version}
            source = self._sources[0]
            source.resources[self.plan.table].apply_hints(write_disposition=disposition)
            if has_hash:  # dlt's scd2 hint drops the type that comes with a file (1.31)
                column: Any = {"name": ROW_HASH, "data_type": "text", "nullable": False}
                source.schema.update_table(new_table(self.plan.table, columns=[column]))

        self._rules = ValueRules(self.plan.name)
        return ItemStep(
            rules=self._rules,
            policies={} if self.connector.applies_column_policies else self.plan.columns,
            hash_key=self.job.hash_key,
            on_rows=self._count,
            on_columns=gate.saw,
            on_history=keep_history if self.plan.mode is LoadMode.SCD2 else None,
        )

    def _count(self, rows: int) -> None:
        self.rows += rows
        self.on_progress(self.rows)

    def _load(self) -> int:
        """Fit the tables and load the package; returns its size in bytes."""
        warehouse, table = self.job.warehouse, self.plan.table
        wanted = self.pipeline.wanted_types(table)
        found = evolution.plan(
            self.conn, warehouse, self.plan.name, self.before, wanted, replaces=self.replaces
        )
        self.load_plan.lost_views = evolution.apply(self.conn, warehouse.raw, found.now)
        evolution.drop_outdated(self.conn, warehouse, table, wanted)
        refreshes = self.plan.full_refresh and self.plan.mode is LoadMode.SCD2
        self.load_plan.truncate = {table} if refreshes else set()
        self.load_plan.retypes = found.later
        size_bytes = self._package_bytes()
        self.pipeline.load(workers=LOAD_WORKERS)
        self.warnings += [
            f"View {view} does not fit the new types; it was dropped."
            for view in self.load_plan.lost_views
        ]
        return size_bytes

    def _package_bytes(self) -> int:
        tables = set(self.pipeline.table_names(self.plan.table))
        packages = map(
            self.pipeline.get_load_package_info, self.pipeline.list_normalized_load_packages()
        )
        jobs = [job for package in packages for job in package.jobs["new_jobs"]]
        return sum(
            os.path.getsize(job.file_path) for job in jobs if job.job_file_info.table_name in tables
        )

    def _finish(self, step: ItemStep) -> Tables:
        """Columns without values, indexes; returns the tables as they stand."""
        schema, table = self.job.warehouse.raw, self.plan.table
        after = self._read()
        if table not in after:
            self.warnings.append(f"{self.plan.name} had no rows; its table is made with the first.")
            return after
        missing = self._missing_columns(step, after)
        for name, columns in missing.items():
            catalog.add_text_columns(self.conn, schema, name, columns)
        self._ensure_indexes(after)
        return self._read() if any(missing.values()) else after

    def _ensure_indexes(self, after: Tables) -> None:
        """What merges and the append rule look rows up by."""
        wanted: dict[str, tuple[str, ...]] = {}
        root = after[self.plan.table]
        if self.appends and LOAD_ID in root:
            wanted[self.plan.table] = (LOAD_ID,)
        elif self._disposition() == "merge" and self.plan.mode is not LoadMode.SCD2:
            if all(types.is_short(root.get(column, "text")) for column in self.primary_key):
                wanted[self.plan.table] = self.primary_key
            nested = {t for t, columns in after.items() if ROOT_ID in columns}
            wanted |= {table: (ROOT_ID,) for table in nested}
        for table, columns in wanted.items():
            name = extract_append.index_name(table, *columns)
            catalog.ensure_index(self.conn, self.job.warehouse.raw, table, columns, name)

    def _missing_columns(self, step: ItemStep, after: Tables) -> dict[str, list[str]]:
        """Columns without values yet; where new columns are not wanted, there are none."""
        if not self.is_new and self.job.schema_policy is not SchemaPolicy.EVOLVE:
            return {}
        self._nulls.setdefault(self.plan.table, set()).update(step.null_columns)
        return extract_nulls.missing(self._nulls, after)

    def _read(self) -> Tables:
        return catalog.read_tables(self.conn, self.job.warehouse.raw, [self.plan.table])

    def _note_removed(self, gate: SchemaGate) -> None:
        """Remember which columns the source lacks, so that it is news only once."""
        if gate.seen is None:
            return
        noted = self.pipeline.own_state["removed"]
        gone = extract_changes.missing(self.before.get(self.plan.table, {}), gate.seen)
        self._newly_removed = [c for c in gone if c not in noted.get(self.plan.name, [])]
        noted[self.plan.name] = gone

    def _removed_news(self) -> tuple[Any, ...]:
        root = self.before.get(self.plan.table, {})
        return tuple(extract_changes.removed(self.plan, root, self._newly_removed))
