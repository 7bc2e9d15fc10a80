"""Raw files: CSV that `COPY … FROM` turns into exactly the values the source had.

Owns the file's form (`connectors.base` states it), the names of raw columns and their dlt hints.
Never knows where rows come from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dlt.common.normalizers.naming.snake_case import NamingConvention

from etlfabric_dagster.connectors.base import CSV_NULL, PG_TYPE_HINT

MAX_IDENTIFIER = 63  # PostgreSQL cuts longer names
FILE_BYTES = 64 << 20  # one load job each: small enough to load in parallel, large enough to be few
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


def csv_line(values: Sequence[bytes | None]) -> bytes:
    """One record. Every value is quoted, so that only NULL is bare."""
    quoted = [_NULL if v is None else b'"' + v.replace(b'"', b'""') + b'"' for v in values]
    return b",".join(quoted) + b"\n"


class RawFiles:
    """Writes records into files of about `file_bytes`, each beginning with the header."""

    def __init__(
        self, folder: str, stem: str, names: Sequence[str], file_bytes: int = FILE_BYTES
    ) -> None:
        self._folder, self._stem, self._limit = Path(folder), stem, file_bytes
        self._header = ",".join(f'"{name}"' for name in names).encode() + b"\n"
        self._file: BinaryIO | None = None
        self._room = 0
        self.files: list[tuple[str, int]] = []
        """Path and records of each finished file."""
        self._records = 0
        self.rows = 0
        self.size_bytes = 0

    def write(self, record: bytes) -> None:
        """Append one record that ends in a newline."""
        if self._file is None or self._room <= 0:
            self._turn()
        assert self._file is not None
        self._file.write(record)
        self._room -= len(record)
        self._records += 1
        self.rows += 1

    def close(self) -> list[tuple[str, int]]:
        """Finish; without a record there is still one file, with the header."""
        if not self.files and self._file is None:
            self._turn()
        self._finish()
        return self.files

    def _turn(self) -> None:
        self._finish()
        path = self._folder / f"{self._stem}.{len(self.files)}.csv"
        self._file = path.open("wb", buffering=1 << 20)
        self._file.write(self._header)
        self._room = self._limit

    def _finish(self) -> None:
        if self._file is None:
            return
        self.size_bytes += self._file.tell()
        self._file.close()
        self.files.append((self._file.name, self._records))
        self._file, self._records = None, 0


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return letters if letters.isalnum() else f"u{ord(char):x}"
