"""An attempt's lease, watched: heartbeats in a thread, and a stop that reaches the sandbox at once.

Without the lease nothing of the attempt may be written any more, not even an event in Dagster: a
late success would turn a failed run around.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from etlfabric_dagster import aio
from etlfabric_dagster.db import is_away
from etlfabric_dagster.errors import LeaseLostError
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.compat import DagsterExecutionInterruptedError
from etlfabric_dagster.sandbox.client import Call
from etlfabric_dagster.schemas.runs import ClaimedRun
from etlfabric_dagster.services import leases

HEARTBEAT_S = 1.0
"""Also how soon a cancel is noticed; shorter leases beat four times as they last."""


class Lease:
    """Heartbeats while it is entered. `on_cancel` is called once, in the heartbeat's thread."""

    def __init__(self, claimed: ClaimedRun, on_cancel: Callable[[], None]) -> None:
        self._claimed, self._on_cancel = claimed, on_cancel
        self._pause_s = min(HEARTBEAT_S, claimed.lease_s / 4)
        self._valid_until = time.monotonic() + claimed.lease_s
        self._ended = threading.Event()
        self._calls = threading.Lock()
        self._call: Call | None = None
        self._thread = threading.Thread(target=self._beat_until_ended, daemon=True)
        self.lost = False
        self.canceled = False

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def require(self) -> None:
        """Go on only with the lease. Asks again when the last answer is too old (a worker that was
        frozen). Raises LeaseLostError.
        """
        if not self.lost and time.monotonic() > self._valid_until:
            self._beat()
        if self.lost:
            raise LeaseLostError(
                f"Attempt {self._claimed.number} of run {self._claimed.run_id} lost its lease.",
                "Nothing to do: a newer attempt or a verdict took the run.",
            )

    def check(self) -> None:
        """Raises LeaseLostError, or interrupts the Dagster run when it is being canceled."""
        self.require()
        if self.canceled:
            raise DagsterExecutionInterruptedError

    @contextmanager
    def watching(self, call: Call) -> Iterator[Call]:
        """Close the sandbox call as soon as the attempt has to stop."""
        with self._calls:
            self._call = call
        try:
            if self.lost or self.canceled:
                call.close()
            yield call
        finally:
            with self._calls:
                self._call = None
            call.close()

    def give_up(self, exc: BaseException) -> None:
        """The platform's database went away under the attempt: leave the run to another one, which
        follows when the lease has expired. Raises LeaseLostError when that is what `exc` says.
        """
        if is_away(exc):
            self.lose()
            raise LeaseLostError(
                f"Attempt {self._claimed.number} of run {self._claimed.run_id} lost the platform's"
                f" database ({type(exc).__name__}).",
                "Nothing to do: another attempt follows.",
            ) from exc

    def lose(self) -> None:
        """A write was refused: stop."""
        self.lost = True
        self._stop_call()

    def _beat_until_ended(self) -> None:
        while not self._ended.wait(self._pause_s) and not self.lost:
            self._beat()

    def _beat(self) -> None:
        began = time.monotonic()
        try:
            answer = aio.run(leases.heartbeat(self._claimed.run_id, self._claimed.token))
        except Exception as exc:  # the database may be away for a moment; the lease decides
            log.warning("heartbeat.failed", run=str(self._claimed.run_id), error=str(exc)[:200])
            if time.monotonic() > self._valid_until:
                self.lose()
            return
        if not answer.alive:
            self.lose()
        else:
            self._valid_until = began + self._claimed.lease_s
            if answer.cancel_requested and not self.canceled:
                self._cancel()

    def _cancel(self) -> None:
        self._on_cancel()
        self.canceled = True
        self._stop_call()

    def _stop_call(self) -> None:
        with self._calls:
            if self._call is not None:
                self._call.close()
