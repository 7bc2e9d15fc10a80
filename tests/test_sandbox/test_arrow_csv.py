"""Parquet to CSV: what COPY reads back is what was there."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etlfabric_dagster.sandbox.arrow_csv import ParquetAsCsv


def written(path: Path, *columns: Any) -> bytes:
    table = pa.table(list(columns), names=[f"c{n}" for n in range(len(columns))])
    pq.write_table(table, path)
    with ParquetAsCsv(str(path)) as stream:
        return stream.read()


def test_null_is_bare_and_the_empty_string_is_quoted(tmp_path: Path) -> None:
    assert written(tmp_path / "f", pa.array([None, ""])) == b'\n""\n'


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (pa.array([b"\x00\xff"]), "\\x00ff"),
        (pa.array([Decimal("123456789012345678.0123456789")]), "123456789012345678.0123456789"),
        (pa.array([{"a": [1, None]}]), '{"a": [1, null]}'),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([dt.date(2024, 2, 29)]), "2024-02-29"),
        (pa.array([dt.time(1, 2, 3, 4)]), "01:02:03.000004"),
        (pa.array([float("nan")]), "nan"),
        (pa.array([2**63 - 1]), "9223372036854775807"),
        (pa.array(['quote " comma , line \n end']), 'quote " comma , line \n end'),
    ],
)
def test_values_are_spelled_as_postgresql_reads_them(tmp_path: Path, array: Any, text: str) -> None:
    found = written(tmp_path / "f", array).decode()
    assert list(csv.reader(io.StringIO(found))) == [[text]]


def test_small_reads_give_the_same_bytes(tmp_path: Path) -> None:
    table = pa.table({"n": list(range(50_000))})
    pq.write_table(table, tmp_path / "f", row_group_size=7_000)
    with ParquetAsCsv(str(tmp_path / "f")) as stream:
        parts = iter(lambda: stream.read(1000), b"")
        lines = b"".join(parts).decode().split()
    assert lines == [f'"{n}"' for n in range(50_000)] or lines == [str(n) for n in range(50_000)]
