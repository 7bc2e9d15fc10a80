"""PostgreSQL types in the words of `format_type`: which one holds every value of another. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(
    r"^(?P<base>[a-z_][a-z0-9_ ]*?)\s*(?:\((?P<p>\d+)(?:,\s*(?P<s>-?\d+))?\))?"
    r"(?P<zone> with(?:out)? time zone)?(?P<dims>(?:\[\])*)$"
)
_ALIASES = {"varchar": "character varying", "decimal": "numeric", "bool": "boolean"}
_INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}
_SHORT = frozenset({*_INTEGERS, "uuid", "date", "boolean", "real", "double precision"}) | {
    "timestamp with time zone",
    "timestamp without time zone",
}
_EXACT_IN_DOUBLE = ("smallint", "integer", "real")


@dataclass(frozen=True)
class PgType:
    """A parsed type; `base` includes the time zone part."""

    base: str
    precision: int | None = None
    scale: int | None = None
    dims: str = ""

    def __str__(self) -> str:
        head, zone = self.base, ""
        for suffix in (" with time zone", " without time zone"):
            if head.endswith(suffix):
                head, zone = head.removesuffix(suffix), suffix
        size = ""
        if self.precision is not None:
            scale = f",{self.scale}" if self.scale is not None else ""
            size = f"({self.precision}{scale})"
        return f"{head}{size}{zone}{self.dims}"


def parse(text: str) -> PgType | None:
    """The type, or None for what is no plain built-in spelling (quoted names, SQL)."""
    found = _FORM.match(text.strip().lower())
    if found is None:
        return None
    base = _ALIASES.get(found["base"], found["base"]) + (found["zone"] or "")
    precision = int(found["p"]) if found["p"] else None
    scale = int(found["s"]) if found["s"] else None
    if base == "numeric" and precision is not None and scale is None:
        scale = 0
    return PgType(base, precision, scale, found["dims"])


def canonical(text: str) -> str:
    """The spelling that `format_type` uses; unknown spellings as they are."""
    found = parse(text)
    return str(found) if found else text


def is_short(text: str) -> bool:
    """Whether every value is small enough for an index: rows of 2,704 bytes and more are not."""
    found = parse(text)
    return found is not None and not found.dims and found.base in _SHORT


def fits(value: str, column: str) -> bool:
    """Whether a column of type `column` holds every value of type `value` unchanged."""
    if canonical(value) == canonical(column):
        return True
    old, new = parse(value), parse(column)
    if old is None or new is None:
        return False
    if new.base == "text" and not new.dims and not old.dims:
        return old.base.startswith("character") or old.base in ("text", "uuid")
    if old.dims != new.dims:
        return False
    return _scalar_fits(old, new)


def _scalar_fits(old: PgType, new: PgType) -> bool:
    if old.base in _INTEGERS and new.base in _INTEGERS:
        return _INTEGERS[old.base] <= _INTEGERS[new.base]
    if new.base == "numeric":
        return _fits_numeric(old, new)
    if new.base == "double precision":
        return old.base in _EXACT_IN_DOUBLE
    if old.base == new.base == "character varying":
        return new.precision is None or (
            old.precision is not None and old.precision <= new.precision
        )
    if old.base == new.base and old.base.startswith(("timestamp", "time ")):
        return new.precision is None or (
            old.precision is not None and old.precision <= new.precision
        )
    return (old.base, new.base) == ("date", "timestamp without time zone")


def _fits_numeric(old: PgType, new: PgType) -> bool:
    digits = None if new.precision is None else new.precision - (new.scale or 0)
    if old.base in _INTEGERS:
        return digits is None or digits >= _INTEGERS[old.base]
    if old.base != "numeric":
        return False
    if digits is None:
        return True
    if old.precision is None:
        return False
    old_scale = old.scale or 0
    return old.precision - old_scale <= digits and old_scale <= (new.scale or 0)
