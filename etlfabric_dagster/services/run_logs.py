"""A run's log: buffered lines, written to storage every half second by one thread."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID

from etlfabric_dagster import clock, storage
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.runs import LogLine
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
