"""Writes an attempt's Dagster events in order from a thread, so that no step waits for them.

Dagster's events are a view of a run: the platform's rows are the truth. Written while the sandbox
works, they cost a run with nothing new 10 ms instead of 60, measured 2026-11.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

Write = Callable[[], None]


class EventWriter:
    """Use as a context manager. What fails to be written is raised by the next `put` or `flush`;
    what follows a failure is dropped until then.
    """

    def __init__(self) -> None:
        self._waiting: queue.Queue[Write | None] = queue.Queue()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._write_all, name="etlfabric-events")
        self._thread.daemon = True

    def put(self, write: Write) -> None:
        """Have it written after all that was put before."""
        self._raise_failure()
        self._waiting.put(write)

    def flush(self) -> None:
        """Wait until all of it is written. Returns at once in the writing thread itself."""
        if not self.is_writing_here:
            self._waiting.join()
            self._raise_failure()

    @property
    def is_writing_here(self) -> bool:
        """Whether the caller is what is being written."""
        return threading.current_thread() is self._thread

    def __enter__(self) -> EventWriter:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.put(None)
        self._thread.join()
        if error is None:
            self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _write_all(self) -> None:
        while (write := self._waiting.get()) is not None:
            try:
                if self._failure is None:
                    write()
            except Exception as exc:
                self._failure = exc
            finally:
                self._waiting.task_done()
