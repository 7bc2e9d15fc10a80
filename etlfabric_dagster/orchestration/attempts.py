"""Which attempt this process is executing: assets find their runner by the Dagster run's id.

Definitions are shared by all runs of a process and carry no secret; what a run needs arrives here
when it starts and leaves when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import dagster as dg

from etlfabric_dagster.errors import ConflictError


class Runner(Protocol):
    """Does the work of the two kinds of steps."""

    def load(
        self, context: dg.AssetExecutionContext, streams: Mapping[dg.AssetKey, str]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Load the streams that fill these tables."""
        ...

    def transform(
        self,
        context: dg.AssetExecutionContext,
        nodes: Mapping[str, dg.AssetKey],
        tests: Mapping[str, dg.AssetCheckKey],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Build these dbt nodes and run these tests, named by unique id."""
        ...


class Leased(Protocol):
    """Knows whether the attempt may still write."""

    def require(self) -> None:
        """Raises LeaseLostError."""
        ...


_running: dict[str, Runner] = {}
_leases: dict[str, Leased] = {}


@contextmanager
def executing(dagster_run_id: str, runner: Runner) -> Iterator[None]:
    """Offer the runner to the steps of one Dagster run."""
    _running[dagster_run_id] = runner
    try:
        yield
    finally:
        del _running[dagster_run_id]


@contextmanager
def leased(dagster_run_id: str, lease: Leased) -> Iterator[None]:
    """Let events of one Dagster run be written only with its lease (see `fence_events`)."""
    _leases[dagster_run_id] = lease
    try:
        yield
    finally:
        del _leases[dagster_run_id]


def fence_events(instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """Make the instance refuse events of attempts that lost their lease. Returns it.

    A late success would turn a run around that Dagster already shows as failed.
    """
    write = instance.handle_new_event

    def write_with_lease(event: dg.EventLogEntry, **kwargs: Any) -> None:
        lease = _leases.get(event.run_id)
        if lease is not None:
            lease.require()
        write(event, **kwargs)

    instance.handle_new_event = write_with_lease
    return instance


def of_run(dagster_run_id: str) -> Runner:
    """The runner of a Dagster run. Raises ConflictError outside an attempt."""
    try:
        return _running[dagster_run_id]
    except KeyError:
        raise ConflictError(
            f"Dagster run {dagster_run_id} was not started by an ETL Fabric worker, so it has no"
            " credentials.",
            "Start it with `etlfabric runs start`, or from the webserver of `etlfabric up`.",
        ) from None
