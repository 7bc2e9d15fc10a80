"""Several people at one dbt file: versions, and the refusal of a save that would undo another's."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from etlfabric_dagster.errors import ConflictError, EditedMeanwhileError
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.dbt_models import DbtModelOut
from etlfabric_dagster.schemas.jobs import FormatJob
from etlfabric_dagster.services import (
    dbt_drafts,
    dbt_history,
    dbt_store,
    interactive,
    sandbox,
)
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

NEW = ""
"""The version of a file that does not exist."""


def text_of(model: DbtModelOut) -> str:
    """What its editor opens: the draft, or else the last good content."""
    if model.draft is not None and model.draft.content is not None:
        return model.draft.content
    return model.content or ""


def version_of(model: DbtModelOut) -> str:
    """Names the text that `text_of` gives, so that a save can say what it was made from."""
    return _digest(text_of(model))


async def check_new(scope: OrgScope, path: str) -> None:
    """Raises InvalidInputError for a path that no file may have, ConflictError for a taken one."""
    scope.require("dbt_models.put")
    dbt_paths.check(path)
    if path in await dbt_store.files_of(scope) or await dbt_drafts.get(scope, path):
        raise ConflictError(
            f"There is a file {path} already.", "Choose another name.", field="name"
        )


async def refuse_lost_update(scope: OrgScope, path: str, expected: str, wanted: str) -> None:
    """Raises EditedMeanwhileError, naming who saved, unless the file is still of that version, or
    holds what is wanted: that was sent twice.

    Holds the lock of the org's dbt project until the transaction ends.
    """
    await dbt_store.lock(scope)
    draft = await dbt_drafts.get(scope, path)
    stored = (await dbt_store.files_of(scope)).get(path)
    current = draft.content if draft else stored.content if stored else None
    if current == wanted or (NEW if current is None else _digest(current)) == expected:
        return
    if draft is not None:
        who = draft.author
    else:
        versions = await dbt_history.list_versions(scope, path, limit=1)
        who = versions.items[0].author if versions.items else ""
    name = dbt_paths.name(path)
    raise EditedMeanwhileError(
        f"{who or 'Somebody'} saved {name} after you opened it. Yours is not saved yet."
        if current is not None
        else f"{name} was deleted after you opened it. Yours is not saved yet.",
        "Compare, then save.",
        path=path,
    )


async def format_sql(actor: Actor, slug: str, sql: str, *, wait_s: float | None = None) -> str:
    """The SQL in one style, by sqlfmt, which knows dbt's Jinja.

    Raises TransformError, and NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        scope.require_active()
        org_id = scope.org_id
    return str((await interactive.ask(org_id, "format", {"sql": sql}, wait_s=wait_s))["sql"])


async def answer_format(_org_id: UUID, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `format_sql`."""
    return await sandbox.run(FormatJob(sql=arguments["sql"]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
