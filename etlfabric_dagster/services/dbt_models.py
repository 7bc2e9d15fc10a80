"""dbt models as people ask for them: put, list, show, delete, preview, query, import.

Whatever parses or runs tenants' SQL is asked of an interactive worker and runs in the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import defer

from etlfabric_dagster.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    TransformError,
)
from etlfabric_dagster.models import DbtManifest, DbtModel
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.dbt_models import (
    CompiledModel,
    DbtDraftOut,
    DbtModelOut,
    DbtOrigin,
    ImportReport,
    TableResult,
)
from etlfabric_dagster.schemas.jobs import DbtProject
from etlfabric_dagster.services import (
    dbt_drafts,
    dbt_editing,
    dbt_history,
    dbt_import,
    dbt_store,
    interactive,
    named_pages,
)
from etlfabric_dagster.services.scope import (
    SYSTEM,
    Actor,
    OrgScope,
    org_scope,
    org_scope_by_id,
    require,
)

PARSE_TIMEOUT_S = 150
MAX_ROWS = 100_000
MAX_SKIPPED = 500
"""An import gives up when this many files would be left out: each costs a parse."""


async def put(
    actor: Actor,
    slug: str,
    path: str,
    content: str,
    *,
    draft: bool = False,
    kept_as: str = "put",
    expected: str | None = None,
) -> DbtModelOut:
    """Store a file; parsed first. What is stored is kept in its history.

    Args:
        draft: keep what does not compile as a draft beside the last good content, with its error.
        kept_as: what the history calls it.
        expected: the version it was made from (`dbt_editing.version_of`); None = whatever is there.

    Raises:
        EditedMeanwhileError: the file is of another version.
        InvalidInputError: the path or the content cannot be part of a project.
        TransformError: the project does not compile with it and no draft is wanted; nothing is
        stored.
    """
    await require(actor, slug, "dbt_models.put")
    dbt_paths.check(path, content)
    try:
        await _change(
            actor, slug, "dbt_models.put", put={path: content}, kept_as=kept_as, expected=expected
        )
    except TransformError as exc:
        if not draft:
            raise
        async with org_scope(actor, slug) as scope:
            if expected is not None:  # again: another draft may have come while this was parsed
                await dbt_editing.refuse_lost_update(scope, path, expected, content)
            await dbt_drafts.save(scope, path, content, exc)
    async with org_scope(actor, slug) as scope:
        return await get(scope, path)


async def delete(actor: Actor, slug: str, path: str) -> None:
    """Delete a tenant's file; its relation stays.

    Raises:
        NotFoundError: no such file.
        ConflictError: the file is generated.
        TransformError: others still refer to it.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("dbt_models.delete")
        if await dbt_drafts.discard(scope, path) and not await _is_stored(scope, path):
            return
        row = await _find(scope, path)
        if row.origin == DbtOrigin.GENERATED:
            raise ConflictError(
                f"{path} is generated from a stream and written anew with it.",
                "Deselect the stream, or put a file of your own at that path.",
            )
    await _change(actor, slug, "dbt_models.delete", delete=[path])


async def restore(
    actor: Actor, slug: str, path: str, version: UUID, *, draft: bool = False
) -> DbtModelOut:
    """Store an older version again, as a new one. Raises as `put`, and NotFoundError."""
    async with org_scope(actor, slug) as scope:
        scope.require("dbt_models.put")
        content = await dbt_history.content_of(scope, path, version)
    return await put(actor, slug, path, content, draft=draft, kept_as="restore")


async def list_models(
    scope: OrgScope, cursor: str | None = None, limit: int | None = None
) -> Page[DbtModelOut]:
    """Files by path without their content, drafts of files to come included: a page, or all
    without a limit.
    """
    drafts = await dbt_drafts.all_of(scope)
    known = select(DbtModel.path).where(DbtModel.path.in_(list(drafts)))
    stored = set(await scope.session.scalars(known)) if drafts else set[str]()
    lean = select(DbtModel).options(defer(DbtModel.content))
    rows = await scope.session.scalars(named_pages.window(lean, DbtModel.path, cursor, limit))
    found = [_out(row, drafts.pop(row.path, None), content=False) for row in rows]
    found += [
        _only_draft(path, draft)
        for path, draft in drafts.items()
        if path not in stored and named_pages.is_behind(path, cursor)
    ]
    found.sort(key=lambda model: model.path)
    return named_pages.page(found, limit, lambda one: one.path)


async def get(scope: OrgScope, path: str) -> DbtModelOut:
    """One file with its content, and with its draft. Raises NotFoundError."""
    draft = await dbt_drafts.get(scope, path)
    if draft is not None and not await _is_stored(scope, path):
        found = _only_draft(path, draft)
    else:
        found = _out(await _find(scope, path), draft, content=True)
    return found.model_copy(update={"version": dbt_editing.version_of(found)})


async def preview(
    actor: Actor,
    slug: str,
    path: str,
    *,
    limit: int = 20,
    content: str | None = None,
    wait_s: float | None = None,
) -> TableResult:
    """First rows of a model, run read-only; nothing is written.

    With `content`, of the model as it would be with that text.

    Raises TransformError, and NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        org_id = scope.org_id
        await _check_readable(scope, path, content)
    arguments = {"path": path, "limit": _checked_limit(limit), "content": content}
    return table_of(await interactive.ask(org_id, "preview", arguments, wait_s=wait_s))


async def compiled(
    actor: Actor,
    slug: str,
    path: str,
    *,
    content: str | None = None,
    wait_s: float | None = None,
) -> CompiledModel:
    """A model's SQL with its refs and macros resolved; nothing is read or written.

    `content` as in `preview`. Raises TransformError, and NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        org_id = scope.org_id
        await _check_readable(scope, path, content)
    arguments = {"path": path, "limit": 0, "content": content}
    return compiled_of(await interactive.ask(org_id, "compile", arguments, wait_s=wait_s))


def compiled_of(answer: Mapping[str, Any]) -> CompiledModel:
    """What `compiled` shows of its answer."""
    return CompiledModel(path=answer["path"], compiled_sql=answer["compiled_sql"])


def table_of(answer: Mapping[str, Any]) -> TableResult:
    """What a preview shows of its answer."""
    return TableResult.model_validate({k: answer[k] for k in TableResult.model_fields})


async def query(
    actor: Actor, slug: str, sql: str, *, limit: int = 1000, wait_s: float | None = None
) -> TableResult:
    """Rows of a query as the org's read-only login.

    Raises TransformError, InvalidInputError, and NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        scope.require_active()
        org_id = scope.org_id
    arguments = {"sql": sql, "limit": _checked_limit(limit)}
    return table_of(await interactive.ask(org_id, "query", arguments, wait_s=wait_s))


async def import_project(actor: Actor, slug: str, files: Mapping[str, bytes]) -> ImportReport:
    """Take what works of an existing dbt project; what does not is left out with its reason.

    Raises:
        InvalidInputError: nothing of it can be taken.
        TransformError: it breaks what the org already has; nothing is stored.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("dbt_models.import")
        known = await dbt_store.files_of(scope)
        tables = await dbt_store.tables_of(scope)
    made = dbt_import.plan(
        files, tuple(known.values()), {table.schema.table: table.short for table in tables}
    )
    while made.taken:
        try:
            await _change(actor, slug, "dbt_models.import", put=made.taken)
            return made.report()
        except TransformError as exc:
            path = exc.where.get("path")
            if path not in made.taken or len(made.skipped) > MAX_SKIPPED:
                raise
            made.drop(path, exc.message)
    raise InvalidInputError(
        f"The project holds no file that can be imported. {'; '.join(made.skipped)}"[:2000],
        "Give the folder that holds dbt_project.yml, with models/ in it.",
    )


async def regenerate(actor: Actor, slug: str) -> bool:
    """Bring staging in line with the streams, on an interactive worker."""
    async with org_scope(actor, slug) as scope:
        org_id = scope.org_id
    answer = await interactive.ask(org_id, "regenerate", {}, timeout_s=PARSE_TIMEOUT_S)
    return bool(answer["changed"])


async def regenerate_here(org_id: UUID) -> bool:
    """The same in this process: for workers, who reach the sandbox themselves."""
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        return await dbt_store.regenerate(scope)


async def build_input(scope: OrgScope) -> tuple[DbtProject, str | None]:
    """The files and the packed manifest that a build starts from."""
    manifest = await dbt_store.manifest_of(scope)
    files = await dbt_store.files_of(scope)
    packed = manifest.packed if manifest and manifest.packed else None
    return DbtProject(files=tuple(files.values())), packed


async def nodes_of(scope: OrgScope, pipeline: str) -> tuple[str, ...]:
    """Unique ids of the dbt nodes that a pipeline builds."""
    selections = await scope.session.scalar(select(DbtManifest.selections))
    return tuple(selections.get(pipeline, ())) if selections else ()


async def _change(
    actor: Actor,
    slug: str,
    action: str,
    *,
    put: Mapping[str, str] | None = None,
    delete: list[str] | None = None,
    kept_as: str = "",
    expected: str | None = None,
) -> None:
    org_id = await require(actor, slug, action)
    arguments = {
        "put": dict(put or {}),
        "delete": delete or [],
        "action": action,
        "kept_as": kept_as or action.partition(".")[2],
        "expected": expected,
        "asker": actor.as_dict(),
    }
    await interactive.ask(org_id, "change_dbt", arguments, timeout_s=PARSE_TIMEOUT_S)


async def _find(scope: OrgScope, path: str) -> DbtModel:
    row = await scope.session.scalar(select(DbtModel).where(DbtModel.path == path))
    if row is None:
        raise NotFoundError(
            f"There is no dbt file '{path[:200]}' in '{scope.slug}'.",
            f"List them: etlfabric dbt-models list {scope.slug}",
        )
    return row


async def _check_readable(scope: OrgScope, path: str, content: str | None) -> None:
    """A stored file, or a text that could be one."""
    if content is None:
        await _find(scope, path)
    else:
        scope.require_active()
        dbt_paths.check(path, content)


def _checked_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_ROWS:
        raise InvalidInputError(
            f"A limit of {limit} rows is out of range.",
            f"Give 1 to {MAX_ROWS:,}.",
            field="limit",
        )
    return limit


async def _is_stored(scope: OrgScope, path: str) -> bool:
    return await scope.session.scalar(select(DbtModel.id).where(DbtModel.path == path)) is not None


def _only_draft(path: str, draft: DbtDraftOut) -> DbtModelOut:
    return DbtModelOut(
        path=path,
        name=dbt_paths.name(path),
        origin=DbtOrigin.TENANT,
        kind=dbt_paths.kind(path),
        draft=draft,
        updated_at=draft.updated_at,
    )


def _out(row: DbtModel, draft: DbtDraftOut | None, *, content: bool) -> DbtModelOut:
    return DbtModelOut(
        path=row.path,
        name=dbt_paths.name(row.path),
        origin=DbtOrigin(row.origin),
        kind=dbt_paths.kind(row.path),
        content=row.content if content else None,
        draft=draft,
        updated_at=row.updated_at,
    )
