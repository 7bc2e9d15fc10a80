"""CSV files, read exactly: every value keeps its characters, every bad line has a number.

Whole files are checked before a row of them is passed on. What a name in the header becomes is
`rawfile.raw_name`'s matter; types are `csv_types`'.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from etlfabric_dagster.connectors.filesystem import csv_types
from etlfabric_dagster.connectors.filesystem.csv_types import CANDIDATES
from etlfabric_dagster.connectors.json_records import DataError, refuse_duplicate
from etlfabric_dagster.connectors.rawfile import raw_name

BLOCK_BYTES = 32 * 1024**2  # also the longest line
MAX_COLUMNS = 1500  # PostgreSQL has room for 1,600
DELIMITERS = (",", ";", "\t", "|")
_REMEDY = "Correct the line and upload again."

csv.field_size_limit(sys.maxsize)


@dataclass
class CsvFile:
    """One file in the child's folder, and what a look through it found."""

    path: Path
    name: str
    stream: str
    delimiter: str
    header: list[str]
    """As the file spells it."""
    columns: list[str]
    """The raw column of each; "column_3" where the header has no name."""
    rows: int = 0
    candidates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Types each column's values allow."""
    filled: set[str] = field(default_factory=set)
    """Columns with at least one value."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, every column as text. Raises DataError naming the line."""
        try:
            with self._open() as reader:
                yield from (batch for batch in reader if batch.num_rows)
        except pa.ArrowInvalid as exc:
            raise self._explained(exc) from exc

    def line_of(self, row: int) -> int:
        """The line on which a row (from 0) begins."""
        return next(n for index, (n, _) in enumerate(self._records()) if index == row)

    def _open(self) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            str(self.path),
            pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK_BYTES,
                column_names=self.columns,
                skip_rows_after_names=1,
            ),
            pyarrow.csv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(self.columns) > 1,
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def refuse_broken_lines(self) -> None:
        """Read line by line, slowly, to find the one that is wrong. Raises DataError."""
        self.refuse_bad_bytes()
        for number, values in self._records():
            if len(values) != len(self.header) and (values or len(self.header) == 1):
                raise self.bad_line(
                    number,
                    f"has {_count(len(values), 'value')}; the header has {len(self.header):,}",
                )

    def bad_line(self, number: int, what: str, remedy: str = _REMEDY) -> DataError:
        """UI.md, error 18."""
        return DataError(
            f"{self.name}, line {number:,} {what}. No row of this file was loaded.",
            remedy,
            code="bad_file",
            stream=self.stream,
            file=self.name,
            line=number,
        )

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Line and values of each record after the header; skips empty lines as arrow does."""
        with self.path.open(encoding="utf-8-sig", newline="", errors="replace") as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            line = 1
            try:
                next(reader, None)
                line = reader.line_num + 1
                for values in reader:
                    if values or len(self.columns) == 1:
                        yield line, values
                    line = reader.line_num + 1
            except csv.Error as exc:
                ends = "end of data" in str(exc)
                what = "opens a quote that is never closed" if ends else f"is no CSV: {exc}"
                raise self.bad_line(line, what) from exc

    def refuse_bad_bytes(self) -> None:
        """Raises DataError for the first line that is not UTF-8."""
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as exc:
                    what = f"is not UTF-8: byte {exc.start + 1:,} is {line[exc.start]:#04x}"
                    raise self.bad_line(number, what, "Save the file as UTF-8.") from exc

    def _explained(self, exc: pa.ArrowInvalid) -> DataError:
        try:
            self.refuse_broken_lines()
        except DataError as found:
            return found
        too_long = "straddl" in str(exc) or "block" in str(exc)
        what = f"a line is longer than {BLOCK_BYTES >> 20} MiB" if too_long else str(exc)[:200]
        return DataError(
            f"{self.name}: {what}. No row of this file was loaded.",
            _REMEDY,
            code="bad_file",
            file=self.name,
        )


def open_csv(path: Path, name: str, stream: str, delimiter: str | None) -> CsvFile | None:
    """The file with its header read; None when there is nothing in it.

    Raises:
        DataError: it has no usable header.
    """
    with path.open("rb") as raw:
        start = raw.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(
            f"{name} is UTF-16, not UTF-8. No row of this file was loaded.",
            "Save the file as UTF-8.",
            code="bad_file",
            file=name,
        )
    with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as text:
        first = text.readline(BLOCK_BYTES)
        while first and not first.strip():
            first = text.readline(BLOCK_BYTES)
    if not first:
        return None
    found = CsvFile(path, name, stream, delimiter or _sniffed(first), [], [])
    found.header = _header(found)
    found.columns = _columns(found)
    return found


def cut_to_whole_records(path: Path, delimiter: str | None) -> None:
    """The beginning of a file ends somewhere inside a record; a quoted value may break lines."""
    data = path.read_bytes()
    before = re.escape((delimiter or "".join(DELIMITERS)).encode())
    quoted = rb'(?:\A|(?<=[\r\n%s]))"[^"]*(?:""[^"]*)*(?:"|\Z)' % before
    lines = re.sub(quoted, lambda value: b"x" * len(value[0]), data)
    path.write_bytes(data[: lines.rfind(b"\n") + 1])


def scan(file: CsvFile, whole: bool = True) -> CsvFile:
    """Look through a file: its rows, and the types its columns allow. `whole` = not a sample.

    Raises:
        DataError: a line cannot be read.
    """
    if whole:
        _refuse_open_quote(file)
    file.candidates = dict.fromkeys(file.columns, CANDIDATES)
    for batch in file.batches():
        file.rows += batch.num_rows
        for column, values in zip(file.columns, batch.columns, strict=True):
            if values.null_count < len(values):
                file.filled.add(column)
            if file.candidates[column]:
                allowed = csv_types.possible(values, file.candidates[column])
                file.candidates[column] = allowed
    return file


def column_types(
    files: Sequence[CsvFile], known: Mapping[str, str], declared: Mapping[str, str]
) -> dict[str, str]:
    """The type of every column of the files: declared, else known from earlier loads, else found.

    Raises:
        DataError: a value does not fit a column whose type stands; names file, line and value.
    """
    declared = {raw_name(name): kind for name, kind in declared.items()}
    found: dict[str, str] = {}
    for column in dict.fromkeys(column for file in files for column in file.columns):
        having = [file for file in files if column in file.filled]
        kind = declared.get(column) or _settled(column, having, known.get(column))
        for file in having:
            _refuse_misfits(file, column, kind, column in declared)
        found[column] = kind
    return found


def _settled(column: str, files: Sequence[CsvFile], known: str | None) -> str:
    allowed = [set(file.candidates[column]) for file in files]
    both = set.intersection(*allowed) if allowed else set()
    found = next((kind for kind in CANDIDATES if kind in both), "text")
    if known is None or not files:
        return known or found
    return csv_types.wider(known, found) or known


def _refuse_misfits(file: CsvFile, column: str, kind: str, declared: bool) -> None:
    if kind == "text" or kind in file.candidates[column]:
        return
    row = 0
    for batch in file.batches():
        values = batch.column(file.columns.index(column))
        index = csv_types.first_misfit(values, kind)
        if index is not None:
            why = "it is declared" if declared else "it has been since the first load"
            raise file.bad_line(
                file.line_of(row + index),
                f"has “{values[index].as_py()[:40]}” as {column}, which is no {kind}, as {why}",
                "Correct the line, or declare the column as text and load the stream in full.",
            )
        row += batch.num_rows


def _refuse_open_quote(file: CsvFile) -> None:
    """An open quote swallows the lines behind it; arrow takes that for one long value."""
    quotes = 0
    with file.path.open("rb") as raw:
        while chunk := raw.read(1 << 20):
            quotes += chunk.count(b'"')
    if quotes % 2:
        file.refuse_broken_lines()


def _sniffed(header: str) -> str:
    """The separator that occurs most in the header."""
    return max(DELIMITERS, key=lambda delimiter: (header.count(delimiter), delimiter == ","))


def _header(file: CsvFile) -> list[str]:
    with file.path.open(encoding="utf-8-sig", newline="") as text:
        try:
            header = next((row for row in csv.reader(text, delimiter=file.delimiter) if row), [])
        except csv.Error as exc:
            raise file.bad_line(1, f"is no CSV: {exc}") from exc
        except UnicodeDecodeError:
            file.refuse_bad_bytes()
            raise
    if len(header) > MAX_COLUMNS:
        raise file.bad_line(
            1,
            f"has {len(header):,} columns; a table holds {MAX_COLUMNS:,}",
            "Split the file by columns.",
        )
    return header


def _columns(file: CsvFile) -> list[str]:
    named = [
        raw_name(name) if name.strip() else f"column_{n}" for n, name in enumerate(file.header, 1)
    ]
    twice = next((name for name, n in Counter(named).items() if n > 1), None)
    if twice is not None:
        first, second = [h for h, n in zip(file.header, named, strict=True) if n == twice][:2]
        refuse_duplicate(file.stream, first, second, twice)
    return named


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
