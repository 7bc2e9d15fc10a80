"""Parquet read as CSV that COPY understands: NULL is empty, every value is quoted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

BATCH_ROWS = 20_000
_OPTIONS = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")


class ParquetAsCsv(io.RawIOBase):
    """A readable stream of CSV records without a header. Holds one batch in memory."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = pq.ParquetFile(path)
        self.columns: list[str] = list(self._file.schema_arrow.names)
        self._chunks = self._encoded()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, b"" at the end."""
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        end = len(self._rest) if size < 0 else size
        part, self._rest = self._rest[:end], self._rest[end:]
        return part

    def close(self) -> None:
        self._file.close()
        super().close()

    def _encoded(self) -> Iterator[bytes]:
        for batch in self._file.iter_batches(BATCH_ROWS):
            sink = pa.BufferOutputStream()
            table = pa.Table.from_batches([batch])
            arrays = [as_text(column) for column in table.columns]
            pyarrow.csv.write_csv(pa.table(arrays, names=table.column_names), sink, _OPTIONS)
            yield sink.getvalue().to_pybytes()


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a form whose CSV spelling PostgreSQL reads back to the same value."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.cast(kind.value_type))
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _each(column, lambda value: "\\x" + value.hex())
    if pa.types.is_fixed_size_binary(kind):
        return _each(column, lambda value: "\\x" + value.hex())
    if pa.types.is_nested(kind):
        return _each(column, lambda value: json.dumps(value, default=str, ensure_ascii=False))
    if pa.types.is_duration(kind):
        return _each(column, str)
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pc.cast(column, pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    return column


def _each(column: pa.ChunkedArray, spell: Any) -> pa.ChunkedArray:
    texts = [None if value is None else spell(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])
