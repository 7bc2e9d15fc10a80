"""Which attempt this process is executing: assets find their runner by the Dagster run's id.

Definitions are shared by all runs of a process and carry no secret; what a run needs arrives here
when it starts and leaves when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import dagster as dg

from etlfabric_dagster.errors import ConflictError


class Runner(Protocol):
    """Does the work of the two kinds of steps."""

    def load(
        self, context: dg.AssetExecutionContext, streams: Mapping[dg.AssetKey, str]
    ) -> Iterator[dg.MaterializeResult]:
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


_running: dict[str, Runner] = {}


@contextmanager
def executing(dagster_run_id: str, runner: Runner) -> Iterator[None]:
    """Offer the runner to the steps of one Dagster run."""
    _running[dagster_run_id] = runner
    try:
        yield
    finally:
        del _running[dagster_run_id]


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
