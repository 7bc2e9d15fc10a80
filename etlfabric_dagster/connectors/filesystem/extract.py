"""The `filesystem` connector: CSV, Parquet and JSONL in S3-compatible storage, or uploaded.

A file without content is left out with a warning; a broken one stops its stream and none other.
Config: `config`; places: `store`; reading: `read`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
from dlt.extract import DltResource

from etlfabric_dagster.connectors.base import ExtractContext, Samples
from etlfabric_dagster.connectors.checks import Steps, checked
from etlfabric_dagster.connectors.cursor import key_hints
from etlfabric_dagster.connectors.filesystem import config as files_config
from etlfabric_dagster.connectors.filesystem import csv_files
from etlfabric_dagster.connectors.filesystem.config import MODIFIED_AT, FileStream
from etlfabric_dagster.connectors.filesystem.jsonl_files import read_jsonl
from etlfabric_dagster.connectors.filesystem.parquet_files import open_parquet
from etlfabric_dagster.connectors.filesystem.read import Reading, find_files
from etlfabric_dagster.connectors.filesystem.sample import cut_to_whole_lines, first_values
from etlfabric_dagster.connectors.filesystem.store import File, Store, fetch, open_store
from etlfabric_dagster.connectors.json_columns import infer_columns
from etlfabric_dagster.connectors.json_records import MAX_NESTING, Records
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import (
    CheckResult,
    ColumnInfo,
    DiscoveredStream,
    StreamPlan,
)

SAMPLE_BYTES = 8 * 1024**2  # of CSV and JSONL; a Parquet file says its columns at its end


def check(source: SourceConfig) -> CheckResult:
    """List every stream's files and read the beginning of one."""
    return checked(lambda steps: _check(source, steps))


def discover(source: SourceConfig) -> Iterable[DiscoveredStream]:
    """Each stream, with the columns of its newest file."""
    config = files_config.parse(source)
    store = open_store(config, source)
    for stream in config.streams.values():
        files = find_files(config, stream, store)
        with TemporaryDirectory(prefix="etlfabric_") as folder:
            yield _discovered(stream, store, files, Path(folder) / "sample")


def sample(source: SourceConfig, stream: str) -> Samples:
    """A few values per column of a stream's newest file. Raises ConnectorError."""
    config = files_config.parse(source)
    chosen, store = config.stream(stream), open_store(config, source)
    newest = _newest(find_files(config, chosen, store))
    with TemporaryDirectory(prefix="etlfabric_") as folder:
        return first_values(chosen, store, newest, Path(folder) / "sample")


def resources(
    source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
) -> Sequence[DltResource]:
    """See `Connector`."""
    config = files_config.parse(source)
    store = open_store(config, source)
    return [
        _resource(plan, Reading(config, config.stream(plan.name), store, plan, context))
        for plan in streams
    ]


def probe(source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]) -> set[str]:
    """Streams with a file that is new, changed or gone, or that cannot be listed."""
    return {plan.name for plan in streams if _has_news(source, plan, cursors.get(plan.name))}


def _resource(plan: StreamPlan, reading: Reading) -> DltResource:
    return dlt.resource(
        reading.batches(), name=plan.table, max_table_nesting=MAX_NESTING, **key_hints(plan)
    )


def _check(source: SourceConfig, steps: Steps) -> None:
    steps.begin("config")
    config = files_config.parse(source)
    store = open_store(config, source)
    steps.begin("address")
    steps.note(store.address())
    steps.begin("list")
    found = {s.name: find_files(config, s, store) for s in config.streams.values()}
    steps.note(", ".join(f"{name}: {len(files):,} files" for name, files in found.items()))
    steps.begin("read")
    newest = next(iter(found.values()))[-1]
    size = len(next(store.chunks(newest), b""))
    steps.note(f"{newest.name}: {size:,} bytes")


def _has_news(source: SourceConfig, plan: StreamPlan, kept: Any) -> bool:
    if not isinstance(kept, dict) or "files" not in kept:
        return True
    try:
        config = files_config.parse(source)
        stream, store = config.stream(plan.name), open_store(config, source)
        files = find_files(config, stream, store, may_be_none=True)
    except FabricError:
        return True
    return kept["files"] != {file.name: file.version for file in files}


def _discovered(
    stream: FileStream, store: Store, files: Sequence[File], path: Path
) -> DiscoveredStream:
    look = {"csv": _look_at_csv, "parquet": _look_at_parquet, "jsonl": _look_at_jsonl}
    columns, key, rows = look[stream.format](stream, store, _newest(files), path)
    return DiscoveredStream(
        name=stream.name,
        columns=columns,
        primary_key=key,
        cursor_candidates=(MODIFIED_AT,),
        update_cursor=MODIFIED_AT,
        row_estimate=rows if len(files) == 1 else None,
    )


def _newest(files: Sequence[File]) -> File:
    """Of those with something in them."""
    return max((f for f in files if f.size), key=lambda f: f.modified_at, default=files[-1])


Look = tuple[tuple[ColumnInfo, ...], tuple[str, ...], int | None]
"""Columns, primary key, and rows where they are known."""


def _look_at_csv(stream: FileStream, store: Store, file: File, path: Path) -> Look:
    fetch(store, file, path, SAMPLE_BYTES)
    whole = path.stat().st_size < SAMPLE_BYTES
    if not whole:
        csv_files.cut_to_whole_records(path, stream.delimiter)
    found = csv_files.open_csv(path, file.name, stream.name, stream.delimiter)
    if found is None:
        return (), (), 0
    csv_files.scan(found, whole)
    types = csv_files.column_types([found], {}, stream.columns)
    key = ("id",) if whole and _is_key(found, "id") else ()
    columns = tuple(ColumnInfo(name=n, type=types[n], nullable=n not in key) for n in types)
    return columns, key, found.rows if whole else None


def _look_at_parquet(stream: FileStream, store: Store, file: File, path: Path) -> Look:
    found = open_parquet(fetch(store, file, path), file.name, stream.name)
    if found is None:
        return (), (), 0
    types = found.types
    return tuple(ColumnInfo(name=n, type=types[n]) for n in types), (), found.rows


def _look_at_jsonl(stream: FileStream, store: Store, file: File, path: Path) -> Look:
    fetch(store, file, path, SAMPLE_BYTES)
    whole = path.stat().st_size < SAMPLE_BYTES
    if not whole:
        cut_to_whole_lines(path)
    batches = read_jsonl(path, file.name, Records(stream.name))
    records = [record for batch in batches for record in batch]
    return infer_columns(records), (), len(records) if whole else None


def _is_key(file: csv_files.CsvFile, column: str) -> bool:
    """Whether every row of the file has the column, each another value."""
    if column not in file.columns or not file.rows:
        return False
    seen: set[Any] = set()
    for batch in file.batches():
        seen.update(batch.column(file.columns.index(column)).to_pylist())
    return len(seen) == file.rows and None not in seen
