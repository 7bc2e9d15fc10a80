"""JSON from strangers: read strictly, mended only by stated rules, each with a warning.

Errors: bytes that are not UTF-8, JSON that breaks off, a name twice in one object, whole numbers
beyond 64 bits, more than 200 levels, two names that become one column.
Rules: NaN and ±Infinity become NULL; NUL characters are removed; half a surrogate pair becomes
U+FFFD.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from etlfabric_dagster.connectors.base import ROW_HASH
from etlfabric_dagster.connectors.rawfile import raw_name
from etlfabric_dagster.errors import ConnectorError

MAX_DEPTH = 200  # orjson, which dlt writes with, gives up at 254
MAX_NESTING = 5  # levels that become columns and child tables; deeper ones stay JSON
MAX_COLUMNS = 1500  # PostgreSQL has room for 1,600
MAX_SHAPES = 10_000  # sets of keys whose meaning is remembered
INT64 = range(-(2**63), 2**63)
ITEM = "[]"
"""Stands in a path for the items of a list."""

Path = tuple[str, ...]
Field = tuple[str | None, Path, Path]
"""A key: as it is passed on (None: left out), its path in raw names, and as the source spells it.
"""
_PLAIN = frozenset({bool, float, type(None)})

RULES = {
    "nan": "{n} values of {column} are NaN or Infinity, which JSON does not have: loaded as NULL.",
    "nul": "{n} values of {column} had NUL characters, which text cannot hold: removed.",
    "surrogate": "{n} values of {column} had half a surrogate pair: loaded as U+FFFD.",
}


LEFT_OUT = "{column} was left out: the loader keeps its own there."


class DataError(ConnectorError):
    """A stream's data cannot be loaded as it is; nothing of the stream is."""

    code = "bad_data"


def column_path(name: str) -> str:
    """The raw column of a field that may lie in objects, written `user__id` as raw tables do."""
    return "__".join(map(raw_name, name.split("__")))


def is_loaders(column: str) -> bool:
    """Whether the loader has a column of this name in every raw table."""
    return column.startswith("_dlt_") or column == ROW_HASH


def parse(body: bytes, place: str) -> Any:
    """The document in `body`; `place` opens the message of an error ("Page 3 of orders").

    Raises:
        DataError: it is not JSON in UTF-8.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(
            f"{place} is not UTF-8 text: byte {exc.start + 1:,} is {body[exc.start]:#04x}.",
            "Have the source send UTF-8.",
            code="bad_encoding",
        ) from exc
    try:
        return _decoder.decode(text)
    except _NameTwiceError as exc:
        raise DataError(
            f"{place} has “{exc}” twice in one object, and only one of them could be loaded.",
            "Have the source name each field once.",
            code="duplicate_column",
        ) from None
    except json.JSONDecodeError as exc:
        raise _broken(text, exc, place) from None
    except RecursionError:
        raise _too_deep(place) from None


class Records:
    """Checks the records of one stream, page after page, and remembers its column names."""

    def __init__(self, stream: str, nesting: int = MAX_NESTING) -> None:
        """`nesting`: levels that become columns and child tables."""
        self._stream, self._nesting = stream, nesting
        self._names: dict[str, Path] = {}
        self._left_out: set[str] = set()
        self._mended: Counter[tuple[str, str]] = Counter()
        self._shapes: dict[Any, list[Field]] = {}

    def clean(self, records: Iterable[Any], place: str) -> list[dict[str, Any]]:
        """The records, mended by the rules; `place` is their page or file.

        Raises:
            DataError: one of them cannot be loaded; names stream, place, record and column.
        """
        return [
            self.clean_one(record, f"{place}, record {number:,} of {self._stream}")
            for number, record in enumerate(records, 1)
        ]

    def clean_one(self, record: Any, place: str) -> dict[str, Any]:
        """The same for one record whose `place` is known."""
        if record is None:
            raise DataError(f"{place} is null instead of an object.", "Correct the data selector.")
        if not isinstance(record, dict):
            record = {"value": record}
        return self._object(record, (), (), place)

    def warnings(self) -> list[str]:
        """What was mended so far, one sentence per rule and column."""
        mended = [
            RULES[rule].format(n=n, column=column) for (rule, column), n in self._mended.items()
        ]
        return [LEFT_OUT.format(column=column) for column in sorted(self._left_out)] + mended

    def _object(self, record: dict[str, Any], path: Path, raw: Path, place: str) -> dict[str, Any]:
        shape = (path, *record)
        fields = self._shapes.get(shape)
        if fields is None:
            fields = self._learn(record, path, raw)
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[shape] = fields
        return {
            key: value if value.__class__ in _PLAIN else self._value(value, below, names, place)
            for (key, below, names), value in zip(fields, record.values(), strict=True)
            if key is not None
        }

    def _value(self, value: Any, path: Path, raw: Path, place: str) -> Any:
        kind = type(value)
        if kind is str:
            return value if value.isascii() and "\0" not in value else self._text(value, raw[-1])
        if kind is int:
            if value in INT64:
                return value
            raise DataError(
                f"{place}: {'.'.join(raw)} is {_short(value)}, a whole number beyond 64 bits.",
                f"Have the source send {raw[-1]} as text.",
                code="number_too_large",
            )
        if value is NAN:
            self._mended["nan", ".".join(raw)] += 1
            return None
        if kind is dict or kind is list:
            if len(path) > MAX_DEPTH:
                raise _too_deep(place)
            if kind is dict:
                return self._object(value, path, raw, place)
            return [self._value(item, (*path, ITEM), raw, place) for item in value]
        return value

    def _text(self, text: str, column: str) -> str:
        if "\0" in text:
            self._mended["nul", _printable(column)] += 1
            text = text.replace("\0", "")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                self._mended["surrogate", _printable(column)] += 1
                text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def _learn(self, record: dict[str, Any], path: Path, raw: Path) -> list[Field]:
        """What becomes of each key: its name in the record that is passed on, and its place."""
        fields = [(key, (*path, raw_name(key)), (*raw, key)) for key in record]
        if len(path) - path.count(ITEM) > self._nesting:  # inside a JSON value, kept as it is
            return [(self._text(key, key), below, names) for key, below, names in fields]
        for _, below, names in fields:
            column = "__".join(below)
            if self._names.setdefault(column, names) != names:
                first, second = ".".join(self._names[column]), ".".join(names)
                refuse_duplicate(self._stream, first, second, column)
        if len(self._names) > MAX_COLUMNS:
            raise self._too_wide()
        return [(self._kept(key, below[-1]), below, names) for key, below, names in fields]

    def _kept(self, key: str, column: str) -> str | None:
        if is_loaders(column):
            self._left_out.add(column)
            return None
        return _spelled(key)

    def _too_wide(self) -> DataError:
        return DataError(
            f"{self._stream} has more than {MAX_COLUMNS:,} columns; a table holds 1,600. Its"
            " objects probably have data as keys.",
            "Keep them as JSON: set max_table_nesting to 0, or choose another data selector.",
            code="too_wide",
            stream=self._stream,
        )


def _spelled(key: str) -> str:
    """A key that becomes a column: dlt would turn letters beyond ASCII into underscores."""
    return key if key.isascii() and key.strip(" \0") and "\0" not in key else raw_name(key)


def refuse_duplicate(stream: str, first: str, second: str, column: str) -> None:
    """Raises DataError: two fields of a stream become one column (UI.md, error 19)."""
    raise DataError(
        f"{stream} has {_printable(first)} and {_printable(second)}; both become {column}."
        " The stream was not loaded.",
        "Drop or rename one.",
        code="duplicate_column",
        stream=stream,
        columns=[_printable(first), _printable(second)],
    )


class _NotANumber:
    """Stands for NaN and ±Infinity between parsing and cleaning."""


NAN = _NotANumber()


def _not_a_number(_token: str) -> _NotANumber:
    return NAN


class _NameTwiceError(ValueError):
    """A field stands twice in one object."""


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise _NameTwiceError(next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1))
    return record


_decoder = json.JSONDecoder(parse_constant=_not_a_number, object_pairs_hook=_no_name_twice)


def _broken(text: str, exc: json.JSONDecodeError, place: str) -> DataError:
    if not text.strip():
        return DataError(f"{place} is empty instead of JSON.", "Check the source, then run again.")
    if exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated string"):
        what = f"breaks off after {len(text):,} characters: its JSON is not complete"
    else:
        what = f"is not JSON: {exc.msg}, line {exc.lineno:,}, character {exc.colno:,}"
    return DataError(
        f"{place} {what}.", "Check what the source sends, then run again.", code="bad_json"
    )


def _too_deep(place: str) -> DataError:
    return DataError(
        f"{place} is nested deeper than {MAX_DEPTH} levels.",
        "Have the source send it flatter, or as text.",
        code="too_deep",
    )


def _short(number: int) -> str:
    """Huge numbers would take quadratic time to print, and fill the message."""
    return str(number) if number.bit_length() < 256 else f"about 2^{number.bit_length()}"


def _printable(name: str) -> str:
    return name[:60].encode("ascii" if "\0" in name else "utf-8", "replace").decode()
