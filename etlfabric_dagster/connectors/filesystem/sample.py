"""The first rows of a file, read from as little of it as its format allows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from etlfabric_dagster.connectors.base import Samples
from etlfabric_dagster.connectors.filesystem import csv_files
from etlfabric_dagster.connectors.filesystem.config import FileStream
from etlfabric_dagster.connectors.filesystem.jsonl_files import read_jsonl
from etlfabric_dagster.connectors.filesystem.parquet_files import open_parquet
from etlfabric_dagster.connectors.filesystem.store import File, Store, fetch
from etlfabric_dagster.connectors.json_records import Records
from etlfabric_dagster.connectors.samples import ROWS, of_records, text_of

START_BYTES = 256 * 1024  # of CSV and JSONL
PARQUET_BYTES = 64 * 1024**2  # is read from its end, so it is fetched whole


def first_values(stream: FileStream, store: Store, file: File, path: Path) -> Samples:
    """A few values per column, the file fetched to `path`; none of a large Parquet file. Raises
    DataError.
    """
    if stream.format == "parquet":
        if file.size > PARQUET_BYTES:
            return {}
        parquet = open_parquet(fetch(store, file, path), file.name, stream.name)
        return _of_batches(parquet.columns, parquet.batches()) if parquet else {}
    fetch(store, file, path, START_BYTES)
    is_cut = path.stat().st_size >= START_BYTES
    if stream.format == "csv":
        if is_cut:
            csv_files.cut_to_whole_records(path, stream.delimiter)
        table = csv_files.open_csv(path, file.name, stream.name, stream.delimiter)
        return _of_batches(table.columns, table.batches()) if table else {}
    if is_cut:
        cut_to_whole_lines(path)
    records = chain.from_iterable(read_jsonl(path, file.name, Records(stream.name)))
    return of_records(list(islice(records, ROWS)))


def cut_to_whole_lines(path: Path) -> None:
    """The beginning of a file ends somewhere inside a line."""
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"\n") + 1])


def _of_batches(columns: list[str], batches: Iterable[pa.RecordBatch]) -> Samples:
    first = next(iter(batches), None)
    if first is None:
        return {}
    pairs = zip(columns, first.columns, strict=True)
    return {name: [text_of(one) for one in some.slice(0, ROWS).to_pylist()] for name, some in pairs}
