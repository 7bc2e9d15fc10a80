"""A run's log: buffered lines, written to storage every half second by one thread."""

from __future__ import annotations

import threading
from uuid import UUID

from etlfabric_dagster import clock, storage
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.runs import LogLine
from etlfabric_dagster.security.redaction import redact

FLUSH_S = 0.5


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
