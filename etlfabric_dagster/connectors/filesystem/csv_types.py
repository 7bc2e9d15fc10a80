"""Which type a CSV column has: the narrowest that every value spells without doubt, else text.

| type | every value is spelled |
| --- | --- |
| bigint | 0, 12, -12: no leading zero or plus, within 64 bits |
| numeric | the same, with or without decimals: 12.50 |
| boolean | true or false, in any one case |
| date | 2026-11-22 |
| timestamp without time zone | 2026-11-22 14:05 or T, seconds with up to six decimals at will |
| timestamp with time zone | the same, followed by Z or an offset |

Nothing is converted here: PostgreSQL reads the same characters. An empty field without quotes is
NULL; `""` is the empty string, and a column that has one is text.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
_NUMERIC = r"^-?(0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?$"
_BOOLEAN = r"^(true|false|TRUE|FALSE|True|False)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_NAIVE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_CLOCK}$"
_AWARE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"
_DOUBLE = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"

TIMESTAMP, TIMESTAMPTZ = "timestamp without time zone", "timestamp with time zone"
CANDIDATES = ("bigint", "numeric", "boolean", "date", TIMESTAMP, TIMESTAMPTZ)
"""What is tried, narrowest first."""
_WIDER = {("bigint", "numeric"), ("date", TIMESTAMP)}

Values: TypeAlias = Any
"""`pa.Array` or `pa.ChunkedArray`, whose stubs share no methods."""
_compute: Any = pyarrow.compute  # its functions are made at run time


def possible(values: Values, candidates: tuple[str, ...] = CANDIDATES) -> tuple[str, ...]:
    """Those of `candidates` that every value spells. NULLs say nothing."""
    return tuple(name for name in candidates if spells(values, name))


def spells(values: Values, name: str) -> bool:
    """Whether every value that is not NULL is one of the type `name`."""
    form, cast = _FORMS[name]
    if form is not None and not _all(_compute.match_substring_regex(values, form)):
        return False
    try:
        cast(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def first_misfit(values: Values, name: str) -> int | None:
    """The index of the first value that is not of the type; halves the search each time."""
    if spells(values, name):
        return None
    low, size = 0, len(values)
    while size > 1:
        half = size // 2
        if spells(values.slice(low, half), name):
            low, size = low + half, size - half
        else:
            size = half
    return low


def wider(known: str, found: str) -> str | None:
    """The type that holds both, where PostgreSQL can change a column to it; None where not."""
    if found == known or known == "text" or (found, known) in _WIDER:
        return known
    return found if (known, found) in _WIDER else None


def value_of(text: str | None, name: str) -> Any:
    """A cell as a cursor compares it."""
    if text is None or name not in ("bigint", "numeric"):
        return text
    return int(text) if name == "bigint" else Decimal(text)


def _all(mask: Values) -> bool:
    return bool(_compute.all(mask, skip_nulls=True).as_py() in (True, None))


def _cast(target: pa.DataType) -> Callable[[Values], Any]:
    return partial(_compute.cast, target_type=target)


def _nothing(_values: Values) -> None:
    return None


_FORMS: dict[str, tuple[str | None, Callable[[Values], Any]]] = {
    "text": (None, _nothing),
    "bigint": (_INTEGER, _cast(pa.int64())),
    "numeric": (_NUMERIC, _nothing),
    "double precision": (_DOUBLE, _nothing),
    "boolean": (_BOOLEAN, _nothing),
    "date": (_DATE, _cast(pa.date32())),
    TIMESTAMP: (_NAIVE, _cast(pa.timestamp("us"))),
    TIMESTAMPTZ: (_AWARE, _cast(pa.timestamp("us", "UTC"))),
}
