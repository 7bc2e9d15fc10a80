"""A run's log: buffered lines, written to storage every half second by one thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from etlfabric_dagster import clock, storage
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.runs import LogFilter, LogLine, LogWindow
from etlfabric_dagster.security.redaction import redact
from etlfabric_dagster.services import runs
from etlfabric_dagster.services.scope import OrgScope

FLUSH_S = 0.5


class LogPage(Page[LogLine]):
    """Lines of a run's log. `next` is where to read on; None once the run has ended and all is
    read.
    """

    positions: tuple[str, ...] = ()
    """Of each line: where to read on behind it."""


async def page(
    scope: OrgScope, run_id: UUID, *, attempt: int | None, after: str, limit: int
) -> LogPage:
    """Lines behind a position, oldest first. Raises NotFoundError, InvalidInputError."""
    run = await runs.get(scope, run_id)  # looked at first: what it wrote before its end is there
    found, more = await asyncio.to_thread(
        storage.log_page, scope.org_id, run_id, attempt, after, limit
    )
    positions = tuple(position for position, _ in found)
    over = run.status.is_final and not more
    return LogPage(
        items=tuple(line for _, line in found),
        positions=positions,
        next=None if over else positions[-1] if positions else after,
    )


async def window(
    scope: OrgScope,
    run_id: UUID,
    wanted: LogFilter,
    *,
    until: int | None = None,
    after: str = "",
    limit: int = 500,
) -> LogWindow:
    """At most `limit` lines that the filter keeps; of a run that is not the org's: none.

    Args:
        until: those before the line of this number; None = the newest.
        after: a window's `position`: look only at what came later.
    """
    return await asyncio.to_thread(_window, scope.org_id, run_id, wanted, until, after, limit)


async def text(scope: OrgScope, run_id: UUID, attempt: int | None = None) -> Iterator[str]:
    """The whole log as text, a piece at a time (blocking). Raises NotFoundError."""
    await runs.get(scope, run_id)
    chunks = storage.log_chunks(scope.org_id, run_id, attempt)
    return ("".join(map(_as_text, lines)) for _, lines in chunks)


def keeps(wanted: LogFilter, line: dict[str, Any]) -> bool:
    """Whether the filter leaves this line in, but for its attempt."""
    subject = line.get("subject") or ""
    if wanted.level not in ("", line["level"]) or wanted.subject not in ("", subject):
        return False
    return wanted.search.lower() in f"{subject} {line['message']}".lower()


def _window(
    org_id: UUID, run_id: UUID, wanted: LogFilter, until: int | None, after: str, limit: int
) -> LogWindow:
    kept: deque[dict[str, Any]] = deque(maxlen=limit)
    total, first_error, levels, position = 0, None, {"warning": 0, "error": 0}, after
    for position, lines in storage.log_chunks(org_id, run_id, wanted.attempt, after):  # noqa: B007
        for line in lines:
            if line["level"] in levels:
                levels[line["level"]] += 1
            if not keeps(wanted, line):
                continue
            if first_error is None and line["level"] == "error":
                first_error = total
            if until is None or total < until:
                kept.append(line)
            total += 1
    return LogWindow(
        items=tuple(LogLine.model_validate(line) for line in kept),
        first=(total if until is None else min(until, total)) - len(kept),
        total=total,
        warnings=levels["warning"],
        errors=levels["error"],
        first_error=first_error,
        position=position,
    )


def _as_text(line: dict[str, Any]) -> str:
    return f"{line['at']} {line['level']} {line.get('subject') or '-'} {line['message']}\n"


class RunLog:
    """Write lines of one attempt. Never fails a run: what cannot be stored is told in our own
    log.
    """

    def __init__(self, org_id: UUID, run_id: UUID, attempt: int) -> None:
        self._key = (org_id, run_id, attempt)
        self._lines: list[LogLine] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._flush_until_closed, daemon=True)
        self._thread.start()

    def write(self, level: str, message: str, subject: str | None = None) -> None:
        """Add a line, redacted."""
        line = LogLine(
            at=clock.now(),
            level=level,
            message=redact(message),
            subject=subject,
            attempt=self._key[2],
        )
        with self._lock:
            self._lines.append(line)

    def close(self) -> None:
        """Store what is buffered. Idempotent."""
        self._closed.set()
        self._thread.join()

    def _flush_until_closed(self) -> None:
        while not self._closed.wait(FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        try:
            storage.append_log(*self._key, lines)
        except OSError as exc:
            log.error("run_log.lost", run=str(self._key[1]), lines=len(lines), error=str(exc))
