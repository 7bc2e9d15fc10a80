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
        self._nodes: dict[str, NodeResult] = {}
        self._written_at = self._progress_at = 0.0

    def stream(self, name: str, result: StreamResult) -> None:
        """How a stream ended, at once."""
        self._require(
            aio.run(leases.record_stream(self._claimed.run_id, self._claimed.token, name, result))
        )

    def progress(self, name: str, rows: int) -> None:
        """Rows read so far; most calls write nothing."""
        if time.monotonic() - self._progress_at > PAUSE_S:
            self._progress_at = time.monotonic()
            self.stream(name, StreamResult(rows=rows, status="running"))

    def node(self, name: str, result: NodeResult) -> None:
        """How a dbt node ended; written with others soon, or by `flush`."""
        self._nodes[name] = result
        if time.monotonic() - self._written_at > PAUSE_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._nodes = self._nodes, {}
        self._written_at = time.monotonic()
        if waiting:
            written = leases.record_nodes(self._claimed.run_id, self._claimed.token, waiting)
            self._require(aio.run(written))

    def _require(self, written: bool) -> None:
        if not written:
            self._lease.lose()
        self._lease.require()
