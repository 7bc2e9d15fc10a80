"""Execute one attempt in this process: claim, plan, run in Dagster, verdict. Both agree on the end.

The newest published version is what runs; when the configuration is newer than that, it is
published first.
"""

from __future__ import annotations

from uuid import UUID

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.errors import FabricError, LeaseLostError
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration import attempts, plans, verdicts
from etlfabric_dagster.orchestration.lease import Lease
from etlfabric_dagster.orchestration.plans import Plan
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.orchestration.runner import AttemptRunner
from etlfabric_dagster.sandbox.client import SandboxClient
from etlfabric_dagster.schemas.runs import ClaimedRun, ErrorInfo, RunStatus
from etlfabric_dagster.services import leases, snapshots
from etlfabric_dagster.services.run_logs import RunLog

ENDS = {
    dg.DagsterEventType.RUN_SUCCESS: RunStatus.SUCCEEDED,
    dg.DagsterEventType.RUN_FAILURE: RunStatus.FAILED,
    dg.DagsterEventType.RUN_CANCELED: RunStatus.CANCELED,
}


def execute_attempt(
    hint: UUID,
    worker: str,
    instance: dg.DagsterInstance,
    sandbox: SandboxClient,
    slots: int = 0,
) -> RunStatus | None:
    """Claim a run (see `leases.claim`) and execute an attempt of it. Blocking.

    Returns how it ended; None when nothing could start, or when the lease was lost on the way and
    the verdict is a newer attempt's.
    """
    claimed = aio.run(leases.claim(hint, worker, slots))
    return _Execution(claimed, instance, sandbox).run() if claimed else None


class _Execution:
    def __init__(
        self, claimed: ClaimedRun, instance: dg.DagsterInstance, sandbox: SandboxClient
    ) -> None:
        self._claimed, self._instance = claimed, instance
        self._log = RunLog(claimed.org_id, claimed.run_id, claimed.number)
        self._lease = Lease(claimed, self._tell_dagster_of_cancel)
        self._runner = AttemptRunner(claimed, self._lease, self._log, sandbox)
        self._status: RunStatus | None = None
        self._error: ErrorInfo | None = None

    def run(self) -> RunStatus | None:
        """Everything between the claim and the verdict."""
        try:
            with (
                self._lease,
                attempts.leased(str(self._claimed.dagster_run_id), self._lease) as written,
            ):
                self._execute()
                written.flush()  # whoever sees the verdict sees Dagster's record of it
                ended = self._finish()
        except LeaseLostError as exc:
            log.warning("attempt.fenced", run=str(self._claimed.run_id), error=exc.message)
            return None
        finally:
            self._log.close()
        if ended is RunStatus.CANCELED and self._status is not ended:
            self._tell_of_late_cancel()
        return ended

    def _execute(self) -> None:
        self._runner.fence()
        try:
            plan = plans.make(self._claimed, self._newest_version(), self._instance)
            self._iterate(plan)
        except LeaseLostError:
            raise
        except FabricError as exc:
            self._fail(verdicts.info(exc))
        except Exception as exc:
            self._lease.require()
            self._lease.give_up(exc)
            log.error("attempt.failed", run=str(self._claimed.run_id), exc_info=True)
            self._fail(verdicts.info(verdicts.unforeseen(self._claimed.run_id, exc)))

    def _iterate(self, plan: Plan) -> None:
        self._runner.planned, self._runner.transforms = plan.nodes, plan.transforms
        with attempts.executing(plan.run.run_id, self._runner):
            for event in plan.execute(self._instance):
                if event.event_type in ENDS:
                    self._status = ENDS[event.event_type]
                if event.is_failure and self._error is None and event.event_specific_data:
                    self._error = _of_event(event)
        self._error = self._runner.error or self._error
        if self._status is None:  # somebody marked it as ended while it waited or ran
            marked = self._instance.get_run_by_id(plan.run.run_id)
            canceled = marked and marked.status is dg.DagsterRunStatus.CANCELED
            self._status = RunStatus.CANCELED if canceled else RunStatus.FAILED
        if self._lease.canceled and self._status is RunStatus.FAILED:
            # interrupted before its first step, which Dagster calls a failure
            self._instance.report_run_canceled(plan.run)
            self._status = RunStatus.CANCELED

    def _newest_version(self) -> int:
        claimed = self._claimed
        if claimed.published < claimed.configured:
            try:
                return aio.run(snapshots.publish(claimed.org_id, encode))
            except Exception as exc:  # recorded with its cause; the last good version runs
                log.warning("publish.failed", org=claimed.org_slug, error=str(exc)[:500])
        return claimed.published

    def _fail(self, error: ErrorInfo) -> None:
        """The run ended before, or outside, Dagster's own execution: end it there too."""
        self._error, self._status = error, RunStatus.FAILED
        self._log.write("error", f"{error.message} {error.remedy}".strip())
        run = self._instance.get_run_by_id(str(self._claimed.dagster_run_id))
        if run is not None and not run.is_finished:
            if self._lease.canceled:
                self._instance.report_run_canceled(run)
            else:
                self._instance.report_run_failed(run, error.message)
        if self._lease.canceled:
            self._status = RunStatus.CANCELED

    def _finish(self) -> RunStatus | None:
        self._lease.require()
        claimed = self._claimed
        self._status = status = self._status or RunStatus.FAILED
        error = self._error if status is RunStatus.FAILED else None
        self._log.write("info", f"Attempt {claimed.number} {status.value}.")
        self._log.close()  # whoever sees the verdict sees the whole log
        ending = leases.finish(claimed.run_id, claimed.token, status, error, *self._runner.untold())
        return aio.run(ending)

    def _tell_of_late_cancel(self) -> None:
        """The work ended before a heartbeat told of the cancel: the verdict was the first to."""
        claimed = self._claimed
        said = "The run was canceled after its last step; what it has committed stays."
        late = RunLog(claimed.org_id, claimed.run_id, claimed.number)
        late.write("info", said)
        late.close()
        run = self._instance.get_run_by_id(str(claimed.dagster_run_id))
        if run is not None:
            self._instance.report_run_canceled(run, said)

    def _tell_dagster_of_cancel(self) -> None:
        run = self._instance.get_run_by_id(str(self._claimed.dagster_run_id))
        if run is not None and not run.is_finished:
            self._instance.report_run_canceling(run)


def _of_event(event: dg.DagsterEvent) -> ErrorInfo:
    error = getattr(event.event_specific_data, "error", None)
    message = (error.message if error else None) or event.message or "The run failed."
    return ErrorInfo(
        message=message.strip()[:2000],
        remedy="See the run's log: etlfabric runs logs.",
        code="dagster",
    )
