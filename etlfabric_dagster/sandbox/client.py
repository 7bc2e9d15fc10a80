"""The caller's side of the sandbox. One connection and one leash per call."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from etlfabric_dagster import errors
from etlfabric_dagster.errors import FabricError, SandboxError
from etlfabric_dagster.sandbox import wire
from etlfabric_dagster.schemas.jobs import DoneEvent, Event, FailedEvent, Job

_POLL_S = 0.05


class SandboxClient:
    """Calls the sandbox server on a Unix socket. Thread-safe, holds nothing between calls."""

    def __init__(self, socket_path: Path | str) -> None:
        self._path = str(socket_path)

    def call(self, job: Job) -> Call:
        """Start the job; iterate over its events, the last of which is `done`.

        Closing the call, or the death of this process, kills the child at once. Raises
        SandboxError when no server answers; iteration raises what the job raised.
        """
        return Call(self._connect(), job)

    def run(self, job: Job) -> DoneEvent:
        """Do the job and return its `done`. Blocking. Raises what the job raised."""
        with self.call(job) as call:
            for event in call:
                if isinstance(event, DoneEvent):
                    return event
        raise AssertionError("a call ends with done or raises")

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until the server has warmed up and answers. Blocking. Raises SandboxError."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._connect().close()
                return
            except SandboxError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)

    def _connect(self) -> socket.socket:
        conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            conn.connect(self._path)
        except OSError as exc:
            conn.close()
            raise SandboxError(
                f"The sandbox server does not answer on {self._path}.",
                "Start the stack: etlfabric up.",
                code="sandbox_down",
            ) from exc
        return conn


class Call(Iterator[Event]):
    """One job in one child. `close` may be called from any thread, any number of times."""

    def __init__(self, conn: socket.socket, job: Job) -> None:
        self._conn = conn
        self._closing = threading.Lock()
        self._ended = False
        self._lines = conn.makefile("rb")
        read_end, self._leash = os.pipe()
        try:
            wire.send_job(conn, job, read_end)
        except OSError:
            pass  # the child is gone; what it said, if anything, is still there to be read
        except BaseException:
            self.close()
            raise
        finally:
            os.close(read_end)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Event:
        if self._ended:
            raise StopIteration
        event = self._read()
        if isinstance(event, DoneEvent | FailedEvent):
            self._ended = True
            self.close()
        if isinstance(event, FailedEvent):
            raise error_of(event)
        return event

    def _read(self) -> Event:
        while True:
            line = self._next_line()
            try:
                return wire.EVENT.validate_json(line)
            except ValidationError:
                continue  # torn by the child's death; the server's word follows

    def _next_line(self) -> bytes:
        with contextlib.suppress(OSError, ValueError):  # closed under our feet
            line = self._lines.readline()
            if line:
                return line
        self._ended = True
        closed = self._leash < 0
        self.close()
        raise SandboxError(
            "The work was stopped." if closed else "The sandbox ended without an answer.",
            "Try again; if it repeats, look at the sandbox server: etlfabric status.",
            code="sandbox_closed" if closed else "sandbox",
        )

    def close(self) -> None:
        """Kill the child, if it still works, and free everything. Idempotent, thread-safe."""
        with self._closing:
            if self._leash < 0:
                return
            os.close(self._leash)
            self._leash = -1
            with contextlib.suppress(OSError):
                self._conn.shutdown(socket.SHUT_RDWR)  # wakes a reader in another thread
            self._lines.close()
            self._conn.close()

    def __del__(self) -> None:
        if hasattr(self, "_leash"):
            self.close()


def error_of(event: FailedEvent) -> FabricError:
    """The error a child failed with, as its own class."""
    error_class: type[FabricError] = SandboxError
    found = getattr(errors, event.error_class, None)
    if isinstance(found, type) and issubclass(found, FabricError):
        error_class = found
    info = event.error
    error = error_class(info.message, info.remedy, code=info.code, **info.where)
    if event.detail:
        error.add_note(event.detail)
    return error
