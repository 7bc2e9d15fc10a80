"""What a run's two steps do: ask the sandbox to load and to transform, and tell Dagster, our rows
and the run's log what came of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import cast

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.errors import FabricError, LeaseLostError
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration import events, verdicts
from etlfabric_dagster.orchestration.late import LateNodes
from etlfabric_dagster.orchestration.lease import Lease
from etlfabric_dagster.orchestration.recorder import Recorder, Untold
from etlfabric_dagster.sandbox.client import SandboxClient
from etlfabric_dagster.schemas.jobs import (
    DoneEvent,
    Event,
    ExtractJob,
    LogEvent,
    NodeEvent,
    ProgressEvent,
    StreamEvent,
    TransformJob,
    Warehouse,
)
from etlfabric_dagster.schemas.runs import ClaimedRun, ErrorInfo, NodeResult, StreamResult
from etlfabric_dagster.services import build_leases, execution
from etlfabric_dagster.services.run_logs import RunLog

TURN_PAUSE_S = 0.25

NodeKeys = Mapping[str, dg.AssetKey]
TestKeys = Mapping[str, dg.AssetCheckKey]


class AttemptRunner:
    """The runner of one attempt (see `attempts.Runner`).

    `planned`: unique ids that the pipeline builds by the plan; what a load makes possible beyond
    them is built in the same run and told as late materialisations. `transforms`: whether a dbt
    step follows the load step. `error`: why the run fails, once it does.
    """

    def __init__(
        self, claimed: ClaimedRun, lease: Lease, log: RunLog, sandbox: SandboxClient
    ) -> None:
        self._claimed, self._lease, self._log, self._sandbox = claimed, lease, log, sandbox
        self._recorder = Recorder(claimed, lease)
        self._fencing: Future[Warehouse] | None = None
        self._builds_now: tuple[str, ...] | None = None
        self._unchanged = False
        self.planned: frozenset[str] = frozenset()
        self.transforms = False
        self.error: ErrorInfo | None = None

    def fence(self) -> None:
        """Begin to take the pipeline's login; it takes as long as Dagster takes to its first step,
        and waits for commits while that computes.
        """
        self._fencing = aio.begin(execution.fence(self._claimed))

    def load(
        self, context: dg.AssetExecutionContext, streams: Mapping[dg.AssetKey, str]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Load the streams; good ones are materialised even when others fail."""
        names = sorted(set(streams.values()))
        results: dict[str, StreamResult] = {}
        with self._told():
            job = aio.run(execution.prepare_extract(self._claimed, self._login(), names))
            self._log.write("info", f"Loading {', '.join(names)}.")
            failure = state = None
            try:
                for event in self._events(job):
                    if isinstance(event, StreamEvent):
                        results[event.name] = event.result
                        yield from self._loaded(event, streams)
                    elif isinstance(event, DoneEvent):
                        state = _state_to_keep(job, event.payload.get("state"), results)
            except FabricError as exc:
                failure = exc
            self._lease.check()
            self._builds_now = aio.run(execution.after_load(self._claimed, results, state))
            self._require_loaded(names, results, failure)
            # without a cached state nobody knows whether the last attempt's load was built
            self._unchanged = job.state is not None and execution.all_unchanged(results)
            if not self.transforms:
                yield from self._build(context, {}, {})

    def untold(self) -> Untold:
        """What the run's row does not tell yet, for the verdict to tell with it."""
        return self._recorder.take()

    def transform(
        self, context: dg.AssetExecutionContext, nodes: NodeKeys, tests: TestKeys
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """Build the nodes and run the tests; a failed test of severity error fails the step."""
        with self._told():
            yield from self._build(context, nodes, tests)

    def _build(
        self, context: dg.AssetExecutionContext, nodes: NodeKeys, tests: TestKeys
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        chosen = self._chosen(nodes, tests)
        if not chosen:
            return
        if self._is_up_to_date():
            self._log.write("info", f"Nothing new: {len(chosen)} dbt nodes are up to date.")
            return
        self._recorder.flush()  # people see the streams while dbt works
        with self._turn():
            yield from self._build_now(context, nodes, tests, chosen)
        if self._is_whole():
            aio.run(execution.mark_built(self._claimed))

    def _is_up_to_date(self) -> bool:
        """No stream brought anything since the last whole build, and the project is the same."""
        return self._is_whole() and self._unchanged and aio.run(execution.is_built(self._claimed))

    def _is_whole(self) -> bool:
        """Whether the run is asked to do all that the pipeline does."""
        asked = self._claimed.selection
        return asked.streams is None and asked.models is None and asked.checks is None

    def _build_now(
        self,
        context: dg.AssetExecutionContext,
        nodes: NodeKeys,
        tests: TestKeys,
        chosen: Collection[str],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        late = LateNodes(self._claimed.org_id, self._claimed.org_slug)
        results: dict[str, tuple[str, NodeResult]] = {}
        job = aio.run(execution.prepare_transform(self._claimed, self._login(), sorted(chosen)))
        self._log.write("info", f"Building {len(chosen)} dbt nodes.")
        for event in self._events(job):
            if isinstance(event, NodeEvent):
                results[event.unique_id] = (event.name, event.result)
                self._recorder.node(event.name, event.result)
                self._log_node(event)
                if event.unique_id in nodes or event.unique_id in tests:
                    yield from _planned(event, nodes, tests)
                elif (materialization := late.event(event)) is not None:
                    # it takes check evaluations too (1.13), though its annotation does not
                    context.log_event(cast(dg.AssetMaterialization, materialization))
        self._recorder.flush()
        if error := verdicts.transform_error(results):
            raise error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other run of the org builds with dbt."""
        waited = False
        while not aio.run(build_leases.acquire(self._claimed)):
            self._lease.check()
            if not waited:
                self._log.write("info", "Waiting for another dbt build of this org.")
            waited = True
            time.sleep(TURN_PAUSE_S)
        try:
            yield
        finally:
            aio.run(build_leases.release(self._claimed))

    def _chosen(self, nodes: NodeKeys, tests: TestKeys) -> set[str]:
        """What dbt is to build: all that the pipeline builds now, unless the run is partial."""
        asked = self._claimed.selection
        if asked.models is None and asked.checks is None:
            return set(self.planned if self._builds_now is None else self._builds_now)
        chosen = {*nodes, *tests}
        return chosen if self._builds_now is None else chosen & set(self._builds_now)

    def _events(self, job: ExtractJob | TransformJob) -> Iterator[Event]:
        """The sandbox's events; log lines and progress are dealt with here."""
        self._lease.check()
        with self._lease.watching(self._sandbox.call(job)) as call:
            try:
                for event in call:
                    self._lease.check()
                    if isinstance(event, LogEvent):
                        self._log.write(event.level, event.message, event.subject)
                    elif isinstance(event, ProgressEvent):
                        self._recorder.progress(event.stream, event.rows)
                    else:
                        yield event
            except FabricError as exc:
                self._lease.check()  # a call that we closed ourselves is not the sandbox's fault
                for note in getattr(exc, "__notes__", ()):
                    self._log.write("debug", note)
                raise

    def _loaded(
        self, event: StreamEvent, streams: Mapping[dg.AssetKey, str]
    ) -> Iterator[dg.MaterializeResult]:
        result = event.result
        self._recorder.stream(event.name, result)
        for warning in result.warnings:
            self._log.write("warning", warning, event.name)
        if result.status == "failed":
            message = result.error.message if result.error else "It could not be loaded."
            self._log.write("error", message, event.name)
            return
        self._log.write("info", f"{result.rows:,} rows in {result.seconds:.1f} s.", event.name)
        for key in events.loaded_tables(streams, event.name, result):
            metadata = events.stream_metadata(result, key.path[-1])
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    def _require_loaded(
        self, names: Collection[str], results: dict[str, StreamResult], failure: FabricError | None
    ) -> None:
        """Raises LoadError when a stream failed, or `failure` when nothing of it says more."""
        if failure is not None:
            for name in set(names) - set(results):
                results[name] = StreamResult(status="failed", error=verdicts.info(failure))
                self._recorder.stream(name, results[name])
        if any(result.status == "failed" for result in results.values()):
            aio.run(execution.forget_state(self._claimed))
            raise verdicts.load_error(results, len(names), self.transforms)
        if failure is not None:
            raise failure

    def _login(self) -> Warehouse:
        """The pipeline's login, taken from any older attempt before the first write."""
        self._lease.check()
        assert self._fencing is not None, "whoever executes the attempt fences first"
        try:
            return self._fencing.result()
        except LeaseLostError:
            self._lease.lose()
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Keep why the step fails, and tell Dagster in our words."""
        try:
            yield
        except FabricError as exc:
            raise self._failure(exc) from exc
        except Exception as exc:
            self._lease.check()
            self._lease.give_up(exc)
            log.error("step.failed", run=str(self._claimed.run_id), exc_info=True)
            raise self._failure(verdicts.unforeseen(self._claimed.run_id, exc)) from None

    def _failure(self, error: FabricError) -> dg.Failure:
        self._lease.check()
        self._recorder.flush()
        self.error = verdicts.info(error)
        self._log.write("error", f"{error.message} {error.remedy}".strip())
        metadata = {"remedy": error.remedy}
        return dg.Failure(error.message, metadata=metadata, allow_retries=False)

    def _log_node(self, event: NodeEvent) -> None:
        result = event.result
        bad = events.is_failure(result)
        level = "error" if bad else "warning" if result.status == "warn" else "info"
        message = f" {result.message}" if result.message else ""
        self._log.write(level, f"{result.status} in {result.seconds:.1f} s.{message}", event.name)


def _state_to_keep(
    job: ExtractJob, state: str | None, results: Mapping[str, StreamResult]
) -> str | None:
    """dlt's state for the next run, unless it is the one that this run started from."""
    kept = state == job.state and execution.all_unchanged(results)
    return None if kept else state or None


def _planned(
    event: NodeEvent, nodes: NodeKeys, tests: TestKeys
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    result = event.result
    if key := tests.get(event.unique_id):
        check = events.check_result(key, result)
        if check is not None:
            yield check
    elif result.status in events.BUILT:
        yield dg.MaterializeResult(
            asset_key=nodes[event.unique_id], metadata=events.node_metadata(result)
        )
