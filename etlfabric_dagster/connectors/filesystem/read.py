"""One stream of files being read in one run: which files, what of them, and what to remember.

Full and scd2 read all files. The other modes read files that are new or changed since the last load
that committed: `context.state[stream]["files"]` holds each file's version. Nothing is remembered of
a stream that was not read to its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute

from etlfabric_dagster.connectors.base import PG_TYPE_HINT, ExtractContext
from etlfabric_dagster.connectors.cursor import CURSOR_MODES, Cursor
from etlfabric_dagster.connectors.filesystem import csv_files, csv_types
from etlfabric_dagster.connectors.filesystem.config import (
    FILE_NAME,
    MODIFIED_AT,
    FilesConfig,
    FileStream,
)
from etlfabric_dagster.connectors.filesystem.csv_files import CsvFile
from etlfabric_dagster.connectors.filesystem.jsonl_files import read_jsonl
from etlfabric_dagster.connectors.filesystem.parquet_files import open_parquet
from etlfabric_dagster.connectors.filesystem.store import MAX_FILES, File, Store, fetch
from etlfabric_dagster.connectors.json_columns import field_getter
from etlfabric_dagster.connectors.json_records import LEFT_OUT, DataError, Records, is_loaders
from etlfabric_dagster.connectors.rawfile import column_hints, raw_name
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.streams import ColumnPolicy, StreamPlan

_compute: Any = pyarrow.compute  # its functions are made at run time


class Reading:
    """Reads once; `batches` is exhausted or raises."""

    def __init__(
        self,
        config: FilesConfig,
        stream: FileStream,
        store: Store,
        plan: StreamPlan,
        context: ExtractContext,
    ) -> None:
        self._config, self._stream, self._store = config, stream, store
        self._plan, self._context = plan, context
        self._follows = plan.mode in CURSOR_MODES
        kept = context.state.get(plan.name) or {}
        self._kept = kept if self._follows and not plan.full_refresh else {}
        self._types: dict[str, str] = dict(self._kept.get("types", {}))
        by_data = self._follows and plan.cursor not in (None, MODIFIED_AT)
        self._cursor = Cursor(plan, context) if by_data else None
        self._rows = 0
        policies = {raw_name(name): policy for name, policy in plan.columns.items()}
        self._dropped = {n for n, policy in policies.items() if policy is ColumnPolicy.DROP}
        self._rewritten = {
            n for n, p in policies.items() if p in (ColumnPolicy.HASH, ColumnPolicy.MASK)
        }

    def batches(self) -> Iterator[Any]:
        """The stream's rows: Arrow tables with hints, or lists of records for JSONL.

        Raises:
            ConnectorError: a file cannot be read; nothing of the stream may be loaded.
        """
        listed = find_files(self._config, self._stream, self._store, bool(self._kept))
        versions = self._kept.get("files", {})
        new = [file for file in listed if versions.get(file.name) != file.version]
        self._warn_changed([file.name for file in new if file.name in versions])
        read = {"csv": self._csv, "parquet": self._parquet, "jsonl": self._jsonl}
        yield from read[self._stream.format](new)
        self._remember(listed)

    def _csv(self, files: list[File]) -> Iterator[Any]:
        """All files are looked through before a row of the first one is passed on."""
        opened = [(found, file) for file in files if (found := self._scanned(file))]
        types = csv_files.column_types(
            [csv for csv, _ in opened], self._types, self._stream.columns
        )
        self._types |= types
        for csv, file in opened:
            for batch in csv.batches():
                yield from self._arrow(batch, types, file)
            csv.path.unlink()

    def _scanned(self, file: File) -> CsvFile | None:
        path = fetch(self._store, file, self._path(file))
        found = csv_files.open_csv(path, file.name, self._plan.name, self._stream.delimiter)
        if found is None:
            self._leave_out(file, path)
            return None
        return csv_files.scan(found)

    def _parquet(self, files: list[File]) -> Iterator[Any]:
        for file in files:
            path = fetch(self._store, file, self._path(file))
            found = open_parquet(path, file.name, self._plan.name)
            if found is None:
                self._leave_out(file, path)
                continue
            for name in found.cut:
                self._warn(f"{name} has nanoseconds; it was cut to microseconds.")
            for batch in found.batches():
                yield from self._arrow(batch, found.types, file)
            path.unlink()

    def _jsonl(self, files: list[File]) -> Iterator[Any]:
        records = Records(self._plan.name)
        cursor_of = field_getter(self._cursor.column) if self._cursor else None
        for file in files:
            path, empty = fetch(self._store, file, self._path(file)), True
            for batch in read_jsonl(path, file.name, records):
                empty = False
                if self._cursor and cursor_of:
                    batch = self._cursor.take(batch, cursor_of, file.name)
                self._count(len(batch))
                if batch:
                    yield [record | self._origin(file) for record in batch]
            if empty:
                self._leave_out(file, path)
            path.unlink(missing_ok=True)
        for text in records.warnings():
            self._warn(text)

    def _arrow(self, batch: pa.RecordBatch, types: Mapping[str, str], file: File) -> Iterator[Any]:
        table = self._without_nul(self._wanted(pa.Table.from_batches([batch]), types, file))
        table = table.drop_columns([n for n in table.column_names if self._leaves_out(n)])
        if not table.num_rows:
            return
        hints = {
            name: _hints(name, "text", pa.string())
            if name in self._rewritten
            else _hints(name, types[name], table.column(name).type)
            for name in table.column_names
            if not pa.types.is_null(table.column(name).type)
        }
        self._count(table.num_rows)
        for name, value in self._origin(file).items():
            kind = pa.string() if name == FILE_NAME else pa.timestamp("us", "UTC")
            table = table.append_column(name, pa.repeat(pa.scalar(value, kind), table.num_rows))
        yield dlt.mark.with_hints(table, dlt.mark.make_hints(columns=hints))

    def _wanted(self, table: pa.Table, types: Mapping[str, str], file: File) -> pa.Table:
        """The rows at or past the cursor."""
        if self._cursor is None:
            return table
        name = raw_name(self._cursor.column)
        if name not in table.column_names:
            raise DataError(
                f"{file.name} has no column {name}, the cursor of {self._plan.name}. Nothing of"
                f" {self._plan.name} was loaded.",
                "Choose a cursor that all files have, or load in Full.",
                code="cursor_nulls",
                stream=self._plan.name,
                file=file.name,
            )
        kind = types[name] if self._stream.format == "csv" else ""
        values = [csv_types.value_of(v, kind) for v in table.column(name).to_pylist()]
        rows = table.to_pylist()
        kept = self._cursor.take(range(len(rows)), values.__getitem__, file.name, rows.__getitem__)
        return table if len(kept) == len(rows) else table.take(pa.array(kept, pa.int64()))

    def _without_nul(self, table: pa.Table) -> pa.Table:
        for index, name in enumerate(table.column_names):
            column = table.column(name)
            if not pa.types.is_string(column.type):
                continue
            bad = _compute.sum(_compute.match_substring(column, "\0")).as_py()
            if bad:
                table = table.set_column(index, name, _compute.replace_substring(column, "\0", ""))
                self._warn(
                    f"{bad:,} values of {name} had NUL characters, which text cannot hold: removed."
                )
        return table

    def _leaves_out(self, column: str) -> bool:
        if is_loaders(column) and column not in self._dropped:
            self._dropped.add(column)
            self._warn(LEFT_OUT.format(column=column))
        return column in self._dropped

    def _origin(self, file: File) -> dict[str, Any]:
        """The columns that say where a row comes from, where they are the cursor."""
        if not self._follows or self._plan.cursor != MODIFIED_AT:
            return {}
        return {FILE_NAME: file.name, MODIFIED_AT: file.modified_at}

    def _remember(self, listed: list[File]) -> None:
        if not self._follows:
            return
        if self._cursor:
            self._cursor.finish()
        latest = max((file.modified_at.isoformat() for file in listed), default=None)
        state = {"cursor": latest, "column": MODIFIED_AT} if self._cursor is None else {}
        state |= {"files": {file.name: file.version for file in listed}, "types": self._types}
        kept = self._context.state.get(self._plan.name, {}) if self._cursor else {}
        self._context.state[self._plan.name] = {**kept, **state}

    def _path(self, file: File) -> Path:
        digest = hashlib.sha256(f"{self._plan.table}/{file.name}".encode()).hexdigest()
        return Path(self._context.workdir) / f"{digest}.file"

    def _count(self, rows: int) -> None:
        self._rows += rows
        self._context.progress(self._plan.name, self._rows)

    def _warn(self, text: str) -> None:
        self._context.warn(self._plan.name, text)

    def _leave_out(self, file: File, path: Path) -> None:
        self._warn(f"{file.name} is empty; it was left out.")
        path.unlink()

    def _warn_changed(self, names: list[str]) -> None:
        """Without a key the rows of a changed file are added to those it had."""
        if names and not self._plan.primary_key:
            self._warn(
                f"{', '.join(names[:3])}{' and more' if len(names) > 3 else ''} changed and"
                " was read again; the rows it had before stay."
            )


def find_files(
    config: FilesConfig, stream: FileStream, store: Store, may_be_none: bool = False
) -> list[File]:
    """The files a stream means, oldest first.

    Raises:
        ConnectorError: there are none (`no_files`), too many, or the place cannot be listed.
    """
    found: list[File] = []
    for file in store.files(stream.folder):
        if stream.means(file.name) and not file.name.endswith("/"):
            found.append(file)
        if len(found) > MAX_FILES:
            raise ConnectorError(
                f"{stream.glob} in {config.where} means more than {MAX_FILES:,} files.",
                "Write a narrower glob, or join the files.",
                code="too_many_files",
                stream=stream.name,
            )
    if not found and not may_be_none:
        raise ConnectorError(
            f"No file of {config.where} is named {stream.glob}. {stream.name} was not loaded; its"
            " old rows stay.",
            "Correct the glob, or put the files there.",
            code="no_files",
            stream=stream.name,
        )
    return sorted(found, key=lambda file: (file.modified_at, file.name))


def _hints(name: str, pg_type: str, kind: pa.DataType) -> Any:
    """dlt's hints of a column that PostgreSQL shall have in the type `pg_type`."""
    if pa.types.is_string(kind) and pg_type != "jsonb":
        return {"name": name, "data_type": "text", "nullable": True, PG_TYPE_HINT: pg_type}
    return {"name": name, **column_hints(pg_type)}
