"""The instance's run launcher: a launch from the webserver becomes a run like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from dagster import DagsterRun

from etlfabric_dagster import aio
from etlfabric_dagster.errors import ConflictError, FabricError, NotFoundError
from etlfabric_dagster.orchestration import selections
from etlfabric_dagster.orchestration.compat import (
    SINGLETON_REPOSITORY_NAME,
    CheckRunHealthResult,
    ConfigurableClass,
    ConfigurableClassData,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from etlfabric_dagster.orchestration.reporting import report_queued
from etlfabric_dagster.schemas.runs import RunOut, RunSelection, RunStatus, Trigger
from etlfabric_dagster.services import runs, snapshots
from etlfabric_dagster.services.scope import Actor, org_scope

RUN_TAG = "etlfabric/run"
DAGSTER = Actor("dagster", is_operator=True, via="dagster")
"""The webserver lets only operators in."""


class FabricRunLauncher(RunLauncher, ConfigurableClass):
    """Inserts the row, rings, and lets a worker execute the Dagster run that exists already."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Where the instance's configuration named this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No options: the install's settings say it all."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Made by Dagster."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Queue the run. Raises FabricError with its remedy in the text, which Dagster shows."""
        try:
            report_queued(self._instance, context.dagster_run)
            aio.run(_start(context.dagster_run))
        except FabricError as exc:
            raise type(exc)(f"{exc.message} {exc.remedy}", exc.remedy, **exc.where) from exc

    def terminate(self, run_id: str) -> bool:
        """Cancel our run too. Returns False when there is nothing to end."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if aio.run(_cancel(run)):
            self._instance.report_run_canceled(run)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Leases tell."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether our row still stands behind the Dagster run."""
        status = aio.run(runs.status_of(fabric_run_id(run)))
        if status is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "No run of this install.")
        if status.is_final:
            done = status is RunStatus.SUCCEEDED
            return CheckRunHealthResult(WorkerStatus.SUCCESS if done else WorkerStatus.FAILED)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def fabric_run_id(run: DagsterRun) -> UUID:
    """Our run of a Dagster run: attempt 1 has the same id, later attempts a tag."""
    return UUID(run.tags.get(RUN_TAG, run.run_id))


def org_of(run: DagsterRun) -> str:
    """The org's slug: its location here, its repository under stock `dagster dev`."""
    origin = run.remote_job_origin
    if origin is None:
        raise NotFoundError(f"Dagster run {run.run_id} names no org.", "Launch it from a job.")
    repository = origin.repository_origin
    if repository.repository_name != SINGLETON_REPOSITORY_NAME:
        return repository.repository_name
    return repository.code_location_origin.location_name


async def _start(run: DagsterRun) -> RunOut:
    slug = org_of(run)
    asked = selections.DagsterSelection(
        run.job_name,
        frozenset(run.asset_selection) if run.asset_selection is not None else None,
        frozenset(run.asset_check_selection) if run.asset_check_selection is not None else None,
        frozenset(run.step_keys_to_execute) if run.step_keys_to_execute is not None else None,
    )
    pipeline, selection = selections.to_run(await snapshots.load(slug), asked)
    return await _queue(slug, pipeline, selection, UUID(run.run_id))


async def _queue(slug: str, pipeline: str, selection: RunSelection, run_id: UUID) -> RunOut:
    async with org_scope(DAGSTER, slug) as scope:
        return await runs.start(
            scope, pipeline, selection=selection, trigger=Trigger.DAGSTER, run_id=run_id
        )


async def _cancel(run: DagsterRun) -> bool:
    """Whether the run has ended with this; otherwise its worker will end it."""
    try:
        async with org_scope(DAGSTER, org_of(run)) as scope:
            canceled = await runs.request_cancel(scope, fabric_run_id(run))
    except (NotFoundError, ConflictError):  # ours is over: the Dagster run was left behind
        return True
    return canceled.status is RunStatus.CANCELED
