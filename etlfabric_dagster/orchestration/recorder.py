"""Writes what a run reports to its row, not more often than people can read."""

from __future__ import annotations

import time
from typing import NamedTuple

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration.lease import Lease
from etlfabric_dagster.schemas.runs import ClaimedRun, NodeResult, StreamResult
from etlfabric_dagster.services import leases

PAUSE_S = 0.5


class Untold(NamedTuple):
    """Results that are not in the run's row yet."""

    streams: dict[str, StreamResult]
    nodes: dict[str, NodeResult]


class Recorder:
    """Every write names the lease; a refused one ends the attempt (LeaseLostError)."""

    def __init__(self, claimed: ClaimedRun, lease: Lease) -> None:
        self._claimed, self._lease = claimed, lease
        self._streams: dict[str, StreamResult] = {}
        self._nodes: dict[str, NodeResult] = {}
        self._written_at = time.monotonic()
        self._began: dict[str, float] = {}

    def stream(self, name: str, result: StreamResult) -> None:
        """How a stream stands; written with others soon, or by `flush`."""
        self._streams[name] = result
        self._flush_now_and_then()

    def progress(self, name: str, rows: int) -> None:
        """Rows read so far, and for how long since the first were."""
        now = time.monotonic()
        seconds = now - self._began.setdefault(name, now)
        self.stream(name, StreamResult(rows=rows, seconds=seconds, status="running"))

    def node(self, name: str, result: NodeResult) -> None:
        """How a dbt node ended; written with others soon, or by `flush`."""
        self._nodes[name] = result
        self._flush_now_and_then()

    def flush(self) -> None:
        """Write what waits."""
        untold = self.take()
        run_id, token = self._claimed.run_id, self._claimed.token
        if untold.streams or untold.nodes:
            self._require(aio.run(leases.record(run_id, token, *untold)))

    def take(self) -> Untold:
        """What waits; whoever takes it writes it."""
        untold = Untold(self._streams, self._nodes)
        self._streams, self._nodes = {}, {}
        self._written_at = time.monotonic()
        return untold

    def _flush_now_and_then(self) -> None:
        if time.monotonic() - self._written_at > PAUSE_S:
            self.flush()

    def _require(self, written: bool) -> None:
        if not written:
            self._lease.lose()
        self._lease.require()
