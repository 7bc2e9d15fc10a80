"""The Dagster run of an attempt: created for it, or the one that a webserver launch made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.orchestration import keys, repositories, selections
from etlfabric_dagster.orchestration.compat import (
    PARENT_RUN_ID_TAG,
    ROOT_RUN_ID_TAG,
    ExecuteRunWithPlanIterable,
    ExecutionPlan,
    JobSnap,
    PlanOrchestrationContextManager,
    ReconstructableJob,
    create_execution_plan,
    execute_run_iterator,
    job_execution_iterator,
    orchestration_context_event_generator,
    snapshot_from_execution_plan,
)
from etlfabric_dagster.orchestration.launcher import RUN_TAG
from etlfabric_dagster.orchestration.reporting import report_starting
from etlfabric_dagster.orchestration.selections import DagsterSelection
from etlfabric_dagster.schemas.runs import ClaimedRun, Trigger
from etlfabric_dagster.schemas.snapshot import PipelineSnapshot, TenantSnapshot

ATTEMPT_TAG, TRIGGER_TAG = "etlfabric/attempt", "etlfabric/trigger"


@dataclass(frozen=True)
class Plan:
    """What Dagster executes, and what the runner has to know of it."""

    job: ReconstructableJob
    run: dg.DagsterRun
    steps: ExecutionPlan | None
    """Dagster's own plan of a run that was created here; None for a launch from Dagster."""
    nodes: frozenset[str]
    """dbt unique ids that the pipeline builds at this version."""
    transforms: bool
    """Whether a dbt step follows the load step."""

    def execute(self, instance: dg.DagsterInstance) -> Iterator[dg.DagsterEvent]:
        """Execute it in this process: its events, as they happen."""
        if self.steps is None:
            return execute_run_iterator(self.job, self.run, instance)
        # the rest of execute_run_iterator: it would read the plan back and make it once more
        return iter(
            ExecuteRunWithPlanIterable(
                execution_plan=self.steps,
                iterator=job_execution_iterator,
                execution_context_manager=PlanOrchestrationContextManager(
                    context_event_generator=orchestration_context_event_generator,
                    job=self.job,
                    execution_plan=self.steps,
                    dagster_run=self.run,
                    instance=instance,
                    run_config=self.run.run_config,
                ),
            )
        )


def make(claimed: ClaimedRun, version: int, instance: dg.DagsterInstance) -> Plan:
    """Plan the attempt from a published version. Blocking.

    Raises:
        NotFoundError: the pipeline is not part of that version, or has nothing to run.
        InvalidInputError: nothing of the selection is left.
    """
    snapshot = repositories.cache.get(claimed.org_slug, version).snapshot
    pipeline = _pipeline(claimed, snapshot)
    known = _launched(claimed, instance)
    job_name = known.job_name if known else pipeline.name
    job = repositories.reconstructable(claimed.org_slug, version).get_reconstructable_job(job_name)
    plan = None
    if known is None:
        asked = selections.to_dagster(snapshot, pipeline, claimed.selection)
        if asked.assets is not None or asked.checks is not None:
            job = job.get_subset(asset_selection=asked.assets, asset_check_selection=asked.checks)
        plan = create_execution_plan(job.get_definition(), tags=_tags(claimed))
        known = _create(claimed, job, plan, asked, instance, snapshot.job_ids.get(job_name, ""))
    elif known.status is dg.DagsterRunStatus.QUEUED:
        report_starting(instance, known)
        known = instance.get_run_by_id(known.run_id) or known
    steps = set(job.get_definition().graph.node_dict)
    if known.step_keys_to_execute is not None:
        steps &= set(known.step_keys_to_execute)
    transforms = keys.TRANSFORM_OP in steps and _wants_nodes(known)
    return Plan(job, known, plan, frozenset(pipeline.models), transforms)


def _launched(claimed: ClaimedRun, instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """The Dagster run of a launch from Dagster; all others are ours to create."""
    if claimed.number > 1 or claimed.trigger is not Trigger.DAGSTER:
        return None
    return instance.get_run_by_id(str(claimed.dagster_run_id))


def _wants_nodes(run: dg.DagsterRun) -> bool:
    chosen = run.asset_selection
    return not chosen or any(key.path[1] != keys.RAW for key in chosen)


def _pipeline(claimed: ClaimedRun, snapshot: TenantSnapshot) -> PipelineSnapshot:
    found = {pipeline.id: pipeline for pipeline in snapshot.pipelines}.get(claimed.pipeline_id)
    if found is None:
        raise NotFoundError(
            f"Pipeline '{claimed.pipeline_name}' is not part of the definitions of"
            f" '{claimed.org_slug}' (version {snapshot.version}).",
            "If it still exists, correct what keeps the org from being published.",
        )
    if not found.streams and not found.models:
        raise NotFoundError(
            f"Pipeline '{found.name}' has nothing to run: no stream is selected and its dbt"
            " selector finds no model.",
            "Select a stream, or put a dbt model.",
        )
    return found


def _tags(claimed: ClaimedRun) -> dict[str, str]:
    first = str(claimed.first_dagster_run_id)
    return {
        RUN_TAG: str(claimed.run_id),
        ATTEMPT_TAG: str(claimed.number),
        TRIGGER_TAG: claimed.trigger.value,
        **({ROOT_RUN_ID_TAG: first, PARENT_RUN_ID_TAG: first} if claimed.number > 1 else {}),
    }


def _create(
    claimed: ClaimedRun,
    job: ReconstructableJob,
    plan: ExecutionPlan,
    asked: DagsterSelection,
    instance: dg.DagsterInstance,
    job_id: str,
) -> dg.DagsterRun:
    first = str(claimed.first_dagster_run_id) if claimed.number > 1 else None
    definition = job.get_definition()
    if definition.is_subset:
        job_id = ""
    stored = bool(job_id) and instance.run_storage.has_job_snapshot(job_id)
    job_snapshot = _stored(job_id) if stored else definition.get_job_snapshot()
    # as DagsterInstance.create_run_for_job does, which cannot take a selection of checks
    return instance.create_run(
        job_name=definition.name,
        run_id=str(claimed.dagster_run_id),
        run_config=None,
        status=None,
        tags=_tags(claimed),
        root_run_id=first,
        parent_run_id=first,
        step_keys_to_execute=plan.step_keys_to_execute,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, job_snapshot.snapshot_id),
        job_snapshot=job_snapshot,
        parent_job_snapshot=definition.get_parent_job_snapshot(),
        asset_selection=asked.assets,
        asset_check_selection=asked.checks,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=repositories.job_origin(claimed.org_slug, job.job_name),
        job_code_origin=job.get_python_origin(),
        asset_graph=definition.asset_layer.asset_graph,
    )


def _stored(job_id: str) -> JobSnap:
    """Stands for the job's snapshot that Dagster's database holds: a new run needs its id alone.

    Publishing has worked the id out. Making the snapshot again, its config schema above all, is a
    tenth of what a run costs the worker; serializing and hashing it as much (measured 2026-11).
    """
    record: Any = JobSnap
    stand_in = tuple.__new__(record, [None] * len(record._fields))
    vars(stand_in)["snapshot_id"] = job_id  # a cached property
    return stand_in
