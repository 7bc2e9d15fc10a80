"""Which attempt this process is executing: assets find their runner by the Dagster run's id.

Definitions are shared by all runs of a process and carry no secret; what a run needs arrives here
when it starts and leaves when it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import dagster as dg

from etlfabric_dagster.errors import ConflictError
from etlfabric_dagster.orchestration.compat import SqlEventLogStorage, SqlEventLogStorageTable
from etlfabric_dagster.orchestration.writer import EventWriter

UNTOLD = {
    dg.DagsterEventType.RESOURCE_INIT_STARTED,
    dg.DagsterEventType.RESOURCE_INIT_SUCCESS,
    dg.DagsterEventType.LOGS_CAPTURED,
}
"""Not stored: the same three lines in every run, of resources and log files that nobody uses."""

PLAIN = {
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_INPUT,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.HANDLED_OUTPUT,
    dg.DagsterEventType.LOADED_INPUT,
}
"""Told by their row alone: no asset, check or run changes with them."""

BEGINNINGS = {dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_START}


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


@dataclass
class _Attempt:
    lease: Leased
    writer: EventWriter
    has_stepped: bool = False
    batch: list[dg.EventLogEntry] | None = None
    """Events that wait to be stored by one statement; None while the next one needs its own."""
    batching: threading.Lock = field(default_factory=threading.Lock)


_running: dict[str, Runner] = {}
_attempts: dict[str, _Attempt] = {}


@contextmanager
def executing(dagster_run_id: str, runner: Runner) -> Iterator[None]:
    """Offer the runner to the steps of one Dagster run."""
    _running[dagster_run_id] = runner
    try:
        yield
    finally:
        del _running[dagster_run_id]


@contextmanager
def leased(dagster_run_id: str, lease: Leased) -> Iterator[EventWriter]:
    """Let events of one Dagster run be written only with its lease (see `fence_events`).

    They are written behind: `flush` what is yielded before others are told that the run ended.
    """
    with EventWriter() as writer:
        _attempts[dagster_run_id] = _Attempt(lease, writer)
        try:
            yield writer
        finally:
            del _attempts[dagster_run_id]


def fence_events(instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """Make the instance refuse events of attempts that lost their lease, and write those of others
    behind. Returns it.

    A late success would turn a run around that Dagster already shows as failed.
    """
    write, read_run = instance.handle_new_event, instance.get_run_by_id

    def write_with_lease(event: dg.EventLogEntry, **kwargs: Any) -> None:
        attempt = _attempts.get(event.run_id)
        if attempt is None:
            write(event, **kwargs)
            return
        attempt.lease.require()
        kind = event.dagster_event.event_type if event.dagster_event else None
        if kind in PLAIN:
            _put_plain(attempt, instance, event)
        elif kind not in UNTOLD:
            attempt.batch = None
            attempt.writer.put(partial(_write, attempt.lease, partial(write, event, **kwargs)))
        if kind in BEGINNINGS:
            attempt.writer.put(partial(_stay_canceled, instance, event.run_id))
        if kind is dg.DagsterEventType.STEP_START and attempt.has_stepped:
            attempt.writer.flush()  # a later step reads what earlier ones materialised
        attempt.has_stepped |= kind is dg.DagsterEventType.STEP_START

    def read_run_as_told(run_id: str) -> dg.DagsterRun | None:
        if (attempt := _attempts.get(run_id)) is not None:
            if attempt.writer.is_writing_here:
                return None  # Dagster looks, after an event of the run, whether to retry it
            attempt.writer.flush()
        return read_run(run_id)

    instance.handle_new_event = write_with_lease
    instance.get_run_by_id = read_run_as_told
    return instance


def _write(lease: Leased, write: Any) -> None:
    lease.require()  # it may be lost since the event happened
    write()


def _put_plain(attempt: _Attempt, instance: dg.DagsterInstance, event: dg.EventLogEntry) -> None:
    """With those before it that nobody has begun to write, unless another kind came between."""
    with attempt.batching:
        if attempt.batch is not None:
            attempt.batch.append(event)
            return
        batch = [event]
        store = partial(_store, attempt, instance, batch)
        attempt.writer.put(partial(_write, attempt.lease, store))  # raises what failed before
        attempt.batch = batch


def _store(attempt: _Attempt, instance: dg.DagsterInstance, batch: list[dg.EventLogEntry]) -> None:
    with attempt.batching:
        if attempt.batch is batch:
            attempt.batch = None
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.run_connection(batch[0].run_id) as conn:
        # as prepare_insert_event_batch does, whose statement is compiled anew each time
        rows = [storage._event_to_row(event) for event in batch]  # pyright: ignore[reportPrivateUsage]
        conn.execute(SqlEventLogStorageTable.insert(), rows)


def _stay_canceled(instance: dg.DagsterInstance, run_id: str) -> None:
    """A beginning that was written late must not undo an end that somebody forced meanwhile.

    Whoever forces it stores the event before the status: seen here, or its status comes after ours.
    """
    kind = dg.DagsterEventType.RUN_CANCELED
    for record in instance.get_records_for_run(run_id, of_type=kind, limit=1).records:
        if (event := record.event_log_entry.dagster_event) is not None:
            instance.run_storage.handle_run_event(run_id, event)


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
