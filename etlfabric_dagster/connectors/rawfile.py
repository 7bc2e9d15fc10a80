"""Raw files: CSV that `COPY … FROM` turns into exactly the values the source had.

Owns the file's form (`connectors.base` states it), the names of raw columns and their dlt hints.
Never knows where rows come from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dlt.common.normalizers.naming.snake_case import NamingConvention

from etlfabric_dagster.connectors.base import CSV_NULL, PG_TYPE_HINT

MAX_IDENTIFIER = 63  # PostgreSQL cuts longer names
FILE_BYTES = 64 << 20  # one load job each: small enough to load in parallel, large enough to be few
LOOK_ROWS = 1024  # how often a file's size is looked at
_NULL = CSV_NULL.encode()
_naming = NamingConvention(MAX_IDENTIFIER)
_MODIFIER = re.compile(r"\((\d+)(?:,(-?\d+))?\)")

_DATA_TYPES: dict[str, dict[str, Any]] = {
    "bigint": {"data_type": "bigint", "precision": 64},
    "boolean": {"data_type": "bool"},
    "bytea": {"data_type": "binary"},
    "date": {"data_type": "date"},
    "double precision": {"data_type": "double"},
    "integer": {"data_type": "bigint", "precision": 32},
    "json": {"data_type": "json"},
    "jsonb": {"data_type": "json"},
    "numeric": {"data_type": "decimal"},
    "real": {"data_type": "double"},
    "smallint": {"data_type": "bigint", "precision": 16},
    "time without time zone": {"data_type": "time"},
    "timestamp with time zone": {"data_type": "timestamp", "timezone": True},
    "timestamp without time zone": {"data_type": "timestamp", "timezone": False},
}


def raw_name(name: str) -> str:
    """The raw column of a source column: dlt's snake_case, after letters beyond ASCII were spelled.

    `é` becomes `e`, `数` becomes `u6570`; dlt alone would turn every such name into `x`.
    """
    spelled = "".join(map(_ascii, name))
    return _naming.normalize_identifier(spelled if spelled.strip() else "unnamed")


def column_hints(pg_type: str) -> dict[str, Any]:
    """dlt column hints that carry the exact type beside the nearest one dlt knows."""
    modifier = _MODIFIER.search(pg_type)
    base = _MODIFIER.sub("", pg_type)
    hints = dict(_DATA_TYPES.get(base, {"data_type": "text"}))
    if modifier and base == "numeric":
        hints |= {"precision": int(modifier[1]), "scale": int(modifier[2] or 0)}
    elif modifier and hints["data_type"] in ("timestamp", "time"):
        hints["precision"] = int(modifier[1])
    return {**hints, "nullable": True, PG_TYPE_HINT: pg_type}


def csv_values(values: Iterable[bytes | None]) -> bytes:
    """Part of a record. Every value is quoted, so that only NULL is bare."""
    return b",".join([_NULL if v is None else b'"' + v.replace(b'"', b'""') + b'"' for v in values])


def csv_line(values: Iterable[bytes | None]) -> bytes:
    """One record."""
    return csv_values(values) + b"\n"


class RawFiles:
    """Writes records into files of about `file_bytes`, each beginning with the header."""

    def __init__(
        self, folder: str, stem: str, names: Sequence[str], file_bytes: int = FILE_BYTES
    ) -> None:
        self._folder, self._stem, self._limit = Path(folder), stem, file_bytes
        self._header = ",".join(f'"{name}"' for name in names).encode() + b"\n"
        self._finished: list[tuple[str, int]] = []

    def write(self, records: Iterable[Any], tick: Callable[[int], None] = lambda rows: None) -> int:
        """Write records (bytes, each ending in a newline); `tick(rows)` now and then.

        Returns the number of records. Without any there is still one file, with the header.
        """
        waiting, rows = iter(records), 0
        while True:
            written, ended = self._fill(waiting, lambda n, before=rows: tick(before + n))
            rows += written
            if ended:
                return rows

    def finished(self) -> list[tuple[str, int]]:
        """Path and records of each file."""
        return self._finished

    def _fill(self, records: Iterator[Any], tick: Callable[[int], None]) -> tuple[int, bool]:
        """One file: its records, and whether they were the last ones."""
        path = self._folder / f"{self._stem}.{len(self._finished)}.csv"
        rows, ended = 0, True
        with path.open("wb", buffering=1 << 20) as file:
            file.write(self._header)
            append = file.write  # this loop runs once per row of a warehouse
            for record in records:
                append(record)
                rows += 1
                if rows % LOOK_ROWS == 0:
                    tick(rows)
                    if file.tell() > self._limit:
                        ended = False
                        break
        self._finished.append((str(path), rows))
        return rows, ended


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return letters if letters.isalnum() else f"u{ord(char):x}"
