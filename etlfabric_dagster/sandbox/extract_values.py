"""Python values that PostgreSQL cannot hold, or dlt would change silently: a stated rule for each.

| value                       | becomes                                     |
| --------------------------- | ------------------------------------------- |
| NaN, Infinity, -Infinity    | NULL, with a warning on the stream          |
| text with NUL characters    | the text without them, with a warning       |
| a whole number over 64 bits | numeric, exact                              |
| text that is no Unicode     | the stream fails and names the field        |
| lists and objects deeper    | JSON, from `MAX_TABLE_NESTING` levels on;   |
|                             | beyond `MAX_DEPTH` the stream fails         |
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from etlfabric_dagster.errors import LoadError

MAX_TABLE_NESTING = 8
MAX_DEPTH = 150  # dlt walks items recursively
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_PLAIN = frozenset({bool, type(None), Decimal, bytes})


class ValueRules:
    """Applies the rules to the items of one stream and collects what to warn of."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._warned: dict[str, None] = {}

    @property
    def warnings(self) -> list[str]:
        """One for each field and rule."""
        return list(self._warned)

    def apply(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item as it is stored. Raises LoadError (`bad_value`)."""
        return {name: self._value(value, str(name), 1) for name, value in item.items()}

    def tell_apart(self, names: Sequence[str], columns: Sequence[str]) -> None:
        """Raises LoadError (`duplicate_column`) when two names become one column."""
        first: dict[str, str] = {}
        for name, column in zip(names, columns, strict=True):
            other = first.setdefault(column, name)
            if other != name:
                raise LoadError(
                    f"{self._stream} has {other} and {name}; both become {column}."
                    " The stream was not loaded.",
                    "Drop or rename one.",
                    code="duplicate_column",
                    stream=self._stream,
                    column=column,
                )

    def _value(self, value: Any, field: str, depth: int) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is str:
            return self._text(value, field)
        if kind is int:
            return value if _SMALLEST <= value <= _LARGEST else Decimal(value)
        if kind is float:
            return value if isfinite(value) else self._not_finite(field)
        if kind is dict or kind is list:
            return self._nested(value, field, depth)
        return value

    def _nested(self, value: Any, field: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._refused(field, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, list):
            return [self._value(part, field, depth + 1) for part in value]
        return {name: self._value(part, field, depth + 1) for name, part in value.items()}

    def _text(self, value: str, field: str) -> str:
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as exc:
                raise self._refused(field, "is no Unicode text (a lone surrogate)") from exc
        if "\0" not in value:
            return value
        self._warn(f"NUL characters in {field} were left out: PostgreSQL cannot store them.")
        return value.replace("\0", "")

    def _not_finite(self, field: str) -> None:
        self._warn(f"NaN and Infinity in {field} were stored as NULL.")

    def _warn(self, text: str) -> None:
        self._warned.setdefault(text)

    def _refused(self, field: str, why: str) -> LoadError:
        return LoadError(
            f"A value of {self._stream}, field {field}, {why}. None of it was loaded;"
            " its old rows stay.",
            "Correct the value at its source, or leave the column out.",
            code="bad_value",
            stream=self._stream,
            field=field,
        )
