"""The cursor of a stream that arrives as records: what to ask for, leave out, and remember.

Its state is `context.state[stream]`, written when the stream was read completely:
`{"column", "cursor": value, "seen": [[value, content hash, count], …]}`. Rows that share the last
cursor value, or lie in the lag window, are taken again: with a key they are merged; without one,
those already loaded are known by their content. Timestamps are compared as moments, not as text:
`…00Z` comes before `…00.5Z`. Moments without a zone are taken as UTC.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.json_records import DataError, column_path
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan

Row = TypeVar("Row")

CURSOR_MODES = (LoadMode.INCREMENTAL, LoadMode.APPEND, LoadMode.MERGE)
DAY_S = 86_400
PRUNE_AT = 50_000  # rows remembered while their cursor may still turn out not to be the last


class Cursor:
    """Follows one stream's cursor through one read; call `finish` at its end."""

    def __init__(self, plan: StreamPlan, context: ExtractContext) -> None:
        assert plan.cursor is not None
        kept = context.state.get(plan.name) or {}
        if plan.full_refresh or kept.get("column") != plan.cursor:
            kept = {}
        self.column = plan.cursor
        self._plan, self._context = plan, context
        self._last = kept.get("cursor")
        self._start = lagged(self._last, plan.lag_s) if kept else plan.initial_value
        self._floor = None if self._start is None else self._rank(self._start, "the initial value")
        self._by_content = not plan.primary_key or plan.mode is LoadMode.APPEND
        self._known = Counter({(v, digest): n for v, digest, n in kept.get("seen", [])})
        self._loaded = Counter(_digests(self._known))
        self._met: Counter[tuple[Any, str]] = Counter()

    @property
    def start(self) -> Any:
        """The first cursor value wanted, in the source's own form; None = from the beginning."""
        return self._start

    def take(
        self,
        rows: Sequence[Row],
        value_of: Callable[[Row], Any],
        place: str,
        content_of: Callable[[Row], Any] = lambda row: row,
    ) -> list[Row]:
        """The rows that are not loaded yet; `place` names their page or file in errors.

        Raises:
            DataError: a row without a cursor (code `cursor_nulls`), or cursors of two kinds.
        """
        values = [value_of(row) for row in rows]
        self._refuse_missing(values, place)
        return [
            row
            for row, value in zip(rows, values, strict=True)
            if self._is_new(_plain(value), lambda row=row: content_of(row), place)
        ]

    def finish(self) -> None:
        """Keep the cursor for the next run."""
        if self._last is None:
            return
        self._prune()
        self._context.state[self._plan.name] = {
            "column": self.column,
            "cursor": self._last,
            "seen": [[v, digest, n] for (v, digest), n in (self._known | self._met).items()],
        }

    def _is_new(self, value: Any, content: Callable[[], Any], place: str) -> bool:
        here = self._rank(value, place)
        if self._floor is not None and here < self._floor:
            return False
        if self._last is None or here > rank(self._last):
            self._last = value
        return not self._by_content or self._is_new_content(value, content())

    def _is_new_content(self, value: Any, content: Any) -> bool:
        digest = content_hash(content)
        self._met[value, digest] += 1
        if len(self._met) > PRUNE_AT:
            self._prune()
        if self._loaded[digest] > 0:
            self._loaded[digest] -= 1
            return False
        return True

    def _prune(self) -> None:
        floor = rank(lagged(self._last, self._plan.lag_s))
        for counter in (self._met, self._known):
            for key in [key for key in counter if rank(key[0]) < floor]:
                del counter[key]

    def _rank(self, value: Any, place: str) -> Any:
        """A comparable form of a cursor value; all of a stream must be of one kind."""
        here = rank(value)
        other = self._last if self._last is not None else self._start
        if other is not None and kind(rank(other)) != kind(here):
            raise DataError(
                f"{place}: {self.column} of {self._plan.name} is {kind(here)}, and was"
                f" {kind(rank(other))} before. The two cannot be put in order.",
                "Choose a cursor that is always of one kind, or load in Full.",
                code="cursor_type",
                stream=self._plan.name,
            )
        return here

    def _refuse_missing(self, values: Sequence[Any], place: str) -> None:
        missing = sum(value is None for value in values)
        if missing:
            stream = self._plan.name
            have = "row of {} has" if missing == 1 else "rows of {} have"
            raise DataError(
                f"{missing:,} {have.format(stream)} no {self.column} ({place}), so Incremental"
                f" would miss them. Nothing of {stream} was loaded.",
                "Choose a cursor that is always set, or load in Full.",
                code="cursor_nulls",
                stream=stream,
                column=self.column,
            )


def key_hints(plan: StreamPlan) -> dict[str, Any]:
    """dlt's hints of a stream's key. Of rows with one key in one load, the one with the greatest
    cursor is kept.
    """
    if not plan.primary_key:
        return {}
    hints: dict[str, Any] = {"primary_key": [column_path(key) for key in plan.primary_key]}
    if plan.cursor and plan.mode in CURSOR_MODES:
        hints["columns"] = {column_path(plan.cursor): {"dedup_sort": "desc"}}
    return hints


def rank(value: Any) -> Any:
    """A comparable form: numbers as they are, moments as aware datetimes, other text as text."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str) and value[4:5] == "-":
        try:
            return rank(datetime.fromisoformat(value))
        except ValueError:
            return value
    return value


def kind(ranked: Any) -> str:
    """What a ranked value is, in words."""
    if isinstance(ranked, bool | dict | list):
        return "neither a number, a moment nor text"
    if isinstance(ranked, int | float | Decimal):
        return "a number"
    return "a moment" if isinstance(ranked, datetime) else "text"


def lagged(value: Any, lag_s: float) -> Any:
    """`value` less the lag window, in the form it has: seconds of a moment, whole days of a date,
    the number's own unit.
    """
    if not lag_s:
        return value
    if isinstance(value, int | float):
        return value - (math.ceil(lag_s) if isinstance(value, int) else lag_s)
    moment = rank(value)
    if not isinstance(moment, datetime):
        raise DataError(
            f"A lag window needs a cursor that is a moment or a number; “{value}” is text.",
            "Set the lag to 0, or choose another cursor.",
            code="cursor_type",
        )
    if len(value) == len("2026-11-22"):
        return (moment - timedelta(days=math.ceil(lag_s / DAY_S))).date().isoformat()
    return _in_the_form_of(value, moment - timedelta(seconds=lag_s))


def content_hash(row: Any) -> str:
    """The same content gives the same hash, whatever the order of its fields."""
    text = json.dumps(row, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _plain(value: Any) -> Any:
    """A cursor value as JSON keeps it. A decimal is rounded down: rows are met twice, not never."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else math.nextafter(float(value), -math.inf)
    return value.isoformat() if isinstance(value, date) else value


def _in_the_form_of(text: str, moment: datetime) -> str:
    precision = "auto" if "." in text else "seconds"
    shifted = moment.isoformat(sep=text[10], timespec=precision)
    if text[-1] in "Zz":
        return shifted.replace("+00:00", text[-1])
    has_zone = datetime.fromisoformat(text).tzinfo is not None
    return shifted if has_zone else shifted.removesuffix("+00:00")


def _digests(known: Counter[tuple[Any, str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (_, digest), n in known.items():
        counts[digest] += n
    return counts
