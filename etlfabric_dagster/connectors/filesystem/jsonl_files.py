"""JSONL files: one JSON object per line, read as strictly as an API's pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etlfabric_dagster.connectors import json_records
from etlfabric_dagster.connectors.json_records import DataError, Records

BATCH_ROWS = 5_000
MAX_LINE_BYTES = 64 * 1024**2


def read_jsonl(path: Path, name: str, records: Records) -> Iterator[list[dict[str, Any]]]:
    """The file's records, some thousands at a time. Raises DataError naming the line."""
    batch: list[dict[str, Any]] = []
    for number, line in _lines(path, name):
        place = f"{name}, line {number:,}"
        batch.append(records.clean_one(json_records.parse(line, place), place))
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise DataError(
                    f"{name}, line {number:,} is longer than {MAX_LINE_BYTES >> 20} MiB. No row of"
                    " this file was loaded.",
                    "Split the record.",
                    code="too_large",
                    file=name,
                    line=number,
                )
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                yield number, line
