"""Reading databases that have no COPY: rows through the driver, each value as its exact text.

A dialect says how to list, select and compare; this module owns what is the same for all of them:
content hashes, boundaries, policies and the CSV record.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from etlfabric_dagster.connectors.rawfile import RawFiles, csv_line, csv_values
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.layout import Layout
from etlfabric_dagster.connectors.sql_database.session import MAX_BOUNDARY_ROWS, Span
from etlfabric_dagster.connectors.sql_database.types import SourceColumn

Values = list[bytes | None]


class RowSession(ABC):
    """The part of `session.Session` that works on rows."""

    @abstractmethod
    def rows(
        self,
        table: str,
        columns: Sequence[SourceColumn],
        span: Span | None,
        limit: int | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> Iterator[Values]:
        """Rows of `span`, each value in the text that PostgreSQL reads back exactly."""

    @abstractmethod
    def last_value(self, table: str, span: Span) -> str | None:
        """The greatest cursor value within `span`, in the source's own text."""

    @abstractmethod
    def columns(self, table: str) -> list[SourceColumn]:
        """See `session.Session`."""

    def read(
        self,
        table: str,
        layout: Layout,
        span: Span | None,
        files: RawFiles,
        tick: Callable[[int], None],
    ) -> int:
        """See `session.Session`."""
        columns = [field.column for field in layout.fields]
        rows = self.rows(table, columns, span, warn=layout.warn)
        if span and span.seen:
            rows = _unseen(rows, [column.name for column in columns], span)
        return files.write(_without_nul(_records(rows, layout), layout.warn), tick)

    def sample(self, table: str, columns: Sequence[SourceColumn], rows: int) -> list[Values]:
        """See `session.Session`."""
        return list(self.rows(table, columns, None, rows))

    def high_water(
        self, table: str, layout: Layout, span: Span, keyed: bool
    ) -> dict[str, Any] | None:
        """See `session.Session`."""
        last = self.last_value(table, span)
        if last is None:
            return None
        columns = [field.column for field in layout.fields]
        at = Span(span.cursor, last, 0 if keyed else span.lag_s)
        hashes = self._hashes(table, columns, at, MAX_BOUNDARY_ROWS + 1)
        names = [column.name for column in columns]
        state = {"cursor": last, "rows": len(hashes), "digest": _digest(hashes), "columns": names}
        if len(hashes) > MAX_BOUNDARY_ROWS:
            if not keyed:
                raise problems.cursor_too_coarse(table, span.cursor.name, MAX_BOUNDARY_ROWS)
            state["digest"] = None
        return state if keyed else {**state, "seen": hashes}

    def changed(self, table: str, span: Span, state: dict[str, Any]) -> bool:
        """See `session.Session`."""
        by_name = {column.name: column for column in self.columns(table)}
        columns = [by_name[name] for name in state["columns"]]
        hashes = self._hashes(table, columns, span, state["rows"] + 1)
        return (len(hashes), _digest(hashes)) != (state["rows"], state["digest"])

    def _hashes(
        self, table: str, columns: Sequence[SourceColumn], span: Span, limit: int
    ) -> list[str]:
        return [_row_hash(row) for row in self.rows(table, columns, span, limit)]


def _records(rows: Iterator[Values], layout: Layout) -> Iterator[bytes]:
    load_id, count = layout.load_id.encode(), len(layout.rewritten)
    for values in rows:
        own: Values = [_row_hash(values).encode()] if layout.row_hash else []
        yield csv_line(layout.rewrite(values[:count]) + values[count:] + own + [load_id])


def _unseen(rows: Iterator[Values], names: Sequence[str], span: Span) -> Iterator[Values]:
    """Rows whose content was not loaded before."""
    seen, at = set(span.seen), [names.index(name) for name in span.seen_columns if name in names]
    return (row for row in rows if _row_hash([row[index] for index in at]) not in seen)


def _without_nul(records: Iterator[bytes], warn: Callable[[str], None]) -> Iterator[bytes]:
    """PostgreSQL's text holds no NUL: they are taken out, and that is said."""
    changed = 0
    for record in records:
        if b"\0" in record:
            changed += 1
            record = record.replace(b"\0", b"")
        yield record
    if changed:
        warn(f"NUL characters were removed from {changed:,} rows: PostgreSQL's text has none.")


def _row_hash(values: Values) -> str:
    return hashlib.md5(csv_values(values), usedforsecurity=False).hexdigest()


def _digest(hashes: Sequence[str]) -> str:
    return hashlib.md5("".join(sorted(hashes)).encode(), usedforsecurity=False).hexdigest()
