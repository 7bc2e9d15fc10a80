"""dbt models on the interactive worker: what people asked is parsed, stored, previewed, queried."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any
from uuid import UUID

from etlfabric_dagster.config import settings
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.schemas.jobs import DbtProject, Limits, PreviewJob, QueryJob
from etlfabric_dagster.services import (
    audit,
    dbt_drafts,
    dbt_editing,
    dbt_history,
    dbt_models,
    dbt_store,
    sandbox,
    tenants,
)
from etlfabric_dagster.services.scope import SYSTEM, Actor, OrgScope, org_scope_by_id


async def answer_change(org_id: UUID, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of put, delete and import."""

    def edit(files: dbt_store.Files) -> None:
        for path in arguments["delete"]:
            files.pop(path, None)
        for path, content in arguments["put"].items():
            files[path] = DbtFile(path=path, content=content, origin=DbtOrigin.TENANT)

    async with org_scope_by_id(SYSTEM, org_id) as scope:
        if arguments.get("expected") is not None:
            ((path, wanted),) = arguments["put"].items()
            await dbt_editing.refuse_lost_update(scope, path, arguments["expected"], wanted)
        before = await dbt_store.files_of(scope)
        changed = await dbt_store.change(scope, edit)
        await _record_change(scope, arguments, before)
        await dbt_history.record(scope, arguments, before)
        for path in arguments["put"]:
            await dbt_drafts.discard(scope, path)
        return {"changed": changed}


async def answer_regenerate(org_id: UUID, _arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `regenerate`."""
    return {"changed": await dbt_models.regenerate_here(org_id)}


async def answer_preview(org_id: UUID, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `preview`."""
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        project, packed = await dbt_models.build_input(scope)
    path, content = arguments["path"], arguments.get("content")
    if content is not None:  # another text than was parsed: parsed again with it
        others = tuple(file for file in project.files if file.path != path)
        project, packed = DbtProject(files=(*others, DbtFile(path=path, content=content))), None
    job = PreviewJob(
        project=project,
        packed=packed,
        warehouse=await tenants.reader_warehouse(org_id),
        path=path,
        test=arguments.get("test"),
        limit=arguments["limit"],
        timeout_s=settings.query_timeout_s,
        limits=Limits(wall_s=settings.query_timeout_s + 30),
    )
    return await sandbox.run(job) | {"path": job.path}


async def answer_query(org_id: UUID, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `query`."""
    job = QueryJob(
        warehouse=await tenants.reader_warehouse(org_id),
        sql=arguments["sql"],
        limit=arguments["limit"],
        timeout_s=settings.query_timeout_s,
        limits=Limits(wall_s=settings.query_timeout_s + 30),
    )
    return await sandbox.run(job)


async def _record_change(
    scope: OrgScope, arguments: dict[str, Any], before: dbt_store.Files
) -> None:
    """One audit event per file that is other than it was, on behalf of who asked."""
    asked = replace(scope, actor=Actor.from_dict(arguments["asker"]))
    for path in sorted({*arguments["put"], *arguments["delete"]}):
        old = before[path].content if path in before else None
        new = arguments["put"].get(path)
        if old != new:
            await audit.record(
                asked,
                arguments["action"],
                f"dbt_models/{path}",
                before=_fingerprint(old),
                after=_fingerprint(new),
            )


def _fingerprint(content: str | None) -> dict[str, Any] | None:
    """Enough to tell which text it was; the text itself is the tenant's, and may be large."""
    if content is None:
        return None
    return {
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "lines": content.count("\n") + 1,
    }
