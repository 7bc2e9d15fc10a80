"""A pipeline's new name: what tells it by name follows, tables and dbt models keep theirs."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from etlfabric_dagster.errors import ConflictError
from etlfabric_dagster.models import AlertIncident, AlertRule, Run, Schedule, UsageDay
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.services import audit, connections, pipelines
from etlfabric_dagster.services.scope import OrgScope

TOLD_BY_NAME = (Schedule, Run, UsageDay, AlertIncident)


async def rename_pipeline(scope: OrgScope, name: str, new: str) -> PipelineOut:
    """Give a pipeline another name. Its history, schedule, usage and alerts go with it; the raw
    tables keep their prefix, so no dbt model changes.

    Raises:
        InvalidInputError: no possible name.
        ConflictError: it is taken, or a run of the pipeline has not ended.
    """
    scope.require("pipelines.update")
    connections.check_name(new, "pipeline")
    row = await pipelines.find(scope, name, lock=True)  # no run starts meanwhile
    await pipelines.refuse_open_runs(scope, row)
    row.name = new
    try:
        await scope.session.flush()
    except IntegrityError as exc:
        raise ConflictError(
            f"There is already a pipeline '{new}' in '{scope.slug}'.",
            "Choose another name.",
            field="name",
        ) from exc
    for model in TOLD_BY_NAME:
        theirs = (model.org_id == scope.org_id) & (model.pipeline_id == row.id)
        await scope.session.execute(update(model).where(theirs).values(pipeline_name=new))
    rules = select(AlertRule).where(AlertRule.org_id == scope.org_id)
    for rule in await scope.session.scalars(rules):
        if rule.pipelines:
            rule.pipelines = [new if one == name else one for one in rule.pipelines]
    await scope.session.flush()
    await scope.touch_config()
    facts = {"name": name}, {"name": new}
    await audit.record(
        scope, "pipelines.rename", f"pipelines/{new}", before=facts[0], after=facts[1]
    )
    return await pipelines.get(scope, new)
