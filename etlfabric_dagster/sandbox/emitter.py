"""A child's answers: JSON lines, redacted, one writer at a time."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from etlfabric_dagster.schemas.jobs import DoneEvent, Event, Job, LogEvent, ProgressEvent
from etlfabric_dagster.security.redaction import MIN_SECRET_LENGTH, Redactor

Emit = Callable[[Event], None]

PROGRESS_EVERY_S = 0.2
# A payload holds names and data: a short password ("shop") must not mask a table called shop.
MIN_PAYLOAD_SECRET_LENGTH = 8
_FREE_TEXT = {"message", "remedy", "detail", "warnings", "where", "compiled_sql", "error"}


class Emitter:
    """Sends events to the caller. Thread-safe; progress is thinned to a few lines a second."""

    def __init__(self, conn: socket.socket, job: Job) -> None:
        secrets = list(secrets_of(job))
        self.redact = Redactor(secrets)
        self._payload = Redactor([s for s in secrets if len(s) >= MIN_PAYLOAD_SECRET_LENGTH])
        self._conn = conn
        self._lock = threading.Lock()
        self._progress_at: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, ProgressEvent) and not self._is_due(event.stream):
            return
        line = event.__class__.model_validate(self._clean(event)).model_dump_json()
        with self._lock:
            self._conn.sendall(line.encode() + b"\n")

    def _is_due(self, stream: str) -> bool:
        moment = time.monotonic()
        due = moment - self._progress_at.get(stream, -PROGRESS_EVERY_S) >= PROGRESS_EVERY_S
        if due:
            self._progress_at[stream] = moment
        return due

    def _clean(self, event: Event) -> dict[str, Any]:
        if isinstance(event, DoneEvent):
            return {"t": "done", "payload": self._payload.known(event.payload)}
        return self._clean_text(event.model_dump(mode="json"))

    def _clean_text(self, value: dict[str, Any]) -> dict[str, Any]:
        """Redact free text; names, types and figures stay as they are."""
        return {
            key: self.redact.value(item)
            if key in _FREE_TEXT
            else self._clean_text(item)
            if isinstance(item, dict)
            else item
            for key, item in value.items()
        }


class LogHandler(logging.Handler):
    """Passes warnings of libraries on to the run's log."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(logging.WARNING)
        self._emit_event = emit

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._emit_event(LogEvent(level=level, message=record.getMessage()[:2000]))


def secrets_of(job: Job) -> Iterator[str]:
    """Every secret that came with the job."""
    source = getattr(job, "source", None)
    if source is not None:
        yield from (secret for secret in source.secrets.values() if secret)
        for secret in source.secrets.values():  # a PEM key leaks line by line
            yield from (line for line in secret.splitlines() if len(line) >= MIN_SECRET_LENGTH * 4)
    if getattr(job, "url", ""):  # a webhook's address is its password
        yield job.url  # pyright: ignore[reportAttributeAccessIssue]
    warehouse = getattr(job, "warehouse", None)
    if warehouse is not None:
        yield warehouse.password
    if getattr(job, "hash_key", ""):
        yield job.hash_key  # pyright: ignore[reportAttributeAccessIssue]
