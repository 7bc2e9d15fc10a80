"""Writes what a run reports to its row, not more often than people can read."""

from __future__ import annotations

import time

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration.lease import Lease
from etlfabric_dagster.schemas.runs import ClaimedRun, NodeResult, StreamResult
from etlfabric_dagster.services import leases

PAUSE_S = 0.5


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
        streams, self._streams = self._streams, {}
        nodes, self._nodes = self._nodes, {}
        self._written_at = time.monotonic()
        run_id, token = self._claimed.run_id, self._claimed.token
        if streams or nodes:
            self._require(aio.run(leases.record(run_id, token, streams, nodes)))

    def _flush_now_and_then(self) -> None:
        if time.monotonic() - self._written_at > PAUSE_S:
            self.flush()

    def _require(self, written: bool) -> None:
        if not written:
            self._lease.lose()
        self._lease.require()
