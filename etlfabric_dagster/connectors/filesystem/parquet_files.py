"""Parquet files: types as exact as PostgreSQL has them, what it lacks by a stated rule.

Lists, maps and structs become JSON; unsigned 64-bit integers numeric; decimals beyond 38 digits
numeric; nanoseconds are cut to microseconds with a warning; durations and intervals become text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etlfabric_dagster.connectors.json_records import DataError, refuse_duplicate
from etlfabric_dagster.connectors.rawfile import raw_name

BATCH_ROWS = 20_000
MAX_COLUMNS = 1500
ROWS_COUNT_FROM = 10_000_000
MAX_ROWS_PER_BYTE = 1000  # a table of one constant column comes to 240, measured 2026-11
_UNSIGNED = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64()}


@dataclass
class ParquetFile:
    """One file in the child's folder."""

    name: str
    stream: str
    schema: pa.Schema
    columns: list[str]
    rows: int
    _file: pq.ParquetFile

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in types PostgreSQL has. Raises DataError."""
        try:
            for batch in self._file.iter_batches(BATCH_ROWS):
                if batch.num_rows:
                    arrays = [exact(column) for column in batch.columns]
                    yield pa.RecordBatch.from_arrays(arrays, names=self.columns)
        except pa.ArrowMemoryError as exc:
            why = f"{BATCH_ROWS:,} rows of it do not fit into memory"
            raise _too_large(self.name, why) from exc
        except (pa.ArrowException, OSError) as exc:
            raise _broken(self.name, exc) from exc

    @property
    def types(self) -> dict[str, str]:
        """PostgreSQL's type of every column."""
        return {
            column: pg_type(field.type)
            for column, field in zip(self.columns, self.schema, strict=True)
        }

    @property
    def cut(self) -> list[str]:
        """Columns that lose digits: finer than a microsecond."""
        return [
            column
            for column, field in zip(self.columns, self.schema, strict=True)
            if (pa.types.is_timestamp(field.type) or pa.types.is_time64(field.type))
            and field.type.unit == "ns"
        ]


def open_parquet(path: Path, name: str, stream: str) -> ParquetFile | None:
    """The file with its schema read; None when there is nothing in it. Raises DataError."""
    if path.stat().st_size == 0:
        return None
    try:
        opened = pq.ParquetFile(path)
        schema = opened.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise _broken(name, exc) from exc
    if len(schema) > MAX_COLUMNS:
        raise DataError(
            f"{name} has {len(schema):,} columns; a table holds {MAX_COLUMNS:,}.",
            "Split the file by columns.",
            code="bad_file",
            file=name,
        )
    rows = opened.metadata.num_rows
    if rows > ROWS_COUNT_FROM and rows > MAX_ROWS_PER_BYTE * path.stat().st_size:
        raise _too_large(name, f"it unpacks to {rows:,} rows, like a bomb")
    return ParquetFile(name, stream, schema, _columns(stream, schema.names), rows, opened)


def exact(column: pa.Array) -> pa.Array:
    """The column in a type that reaches PostgreSQL unchanged."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return exact(column.dictionary_decode())
    if kind in _UNSIGNED:
        return column.cast(_UNSIGNED[kind])
    if pa.types.is_uint64(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if pa.types.is_nested(kind):
        return _texts(column, _json)
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return _texts(column, str)
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return pc.cast(column, pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_time(kind) and kind.unit != "us":
        return pc.cast(column, pa.time64("us"), safe=False)
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if _is_any_text(kind):
        return column.cast(pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    return column


def pg_type(kind: pa.DataType) -> str:
    """PostgreSQL's type for an Arrow type."""
    if pa.types.is_dictionary(kind):
        return pg_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return f"timestamp {'with' if kind.tz else 'without'} time zone"
    for is_one, name in _PG_TYPES:
        if is_one(kind):
            return name
    return "text"


_PG_TYPES = (
    (pa.types.is_boolean, "boolean"),
    (lambda kind: kind in (pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    (lambda kind: kind in (pa.int32(), pa.uint16()), "integer"),
    (lambda kind: kind in (pa.int64(), pa.uint32()), "bigint"),
    (pa.types.is_uint64, "numeric"),
    (lambda kind: kind in (pa.float16(), pa.float32()), "real"),
    (pa.types.is_float64, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time without time zone"),
    (pa.types.is_nested, "jsonb"),
    (pa.types.is_binary, "bytea"),
    (pa.types.is_large_binary, "bytea"),
    (pa.types.is_fixed_size_binary, "bytea"),
)


def _is_any_text(kind: pa.DataType) -> bool:
    return pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _texts(column: pa.Array, spell: Any) -> pa.Array:
    values = [None if value is None else spell(value) for value in column.to_pylist()]
    return pa.array(values, pa.string())


def _json(value: Any) -> str:
    return json.dumps(_jsonable(value), ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    """What JSON has: NaN and infinity are null, bytes hexadecimal, the rest as text."""
    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int) else str(value)


def _columns(stream: str, names: list[str]) -> list[str]:
    taken: dict[str, str] = {}
    for name in names:
        column = raw_name(name)
        if column in taken:
            refuse_duplicate(stream, taken[column], name, column)
        taken[column] = name
    return list(taken)


def _too_large(name: str, why: str) -> DataError:
    return DataError(
        f"{name} is too large: {why}. No row of this file was loaded.",
        "Write smaller row groups, or split the file.",
        code="too_large",
        file=name,
    )


def _broken(name: str, exc: Exception) -> DataError:
    return DataError(
        f"{name} is no readable Parquet file: {str(exc).splitlines()[0][:160]}. No row of this"
        " file was loaded.",
        "Write the file again.",
        code="bad_file",
        file=name,
    )
