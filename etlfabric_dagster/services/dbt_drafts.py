"""Drafts of dbt files: what does not compile yet is kept beside the project and never built."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.models import DbtDraft
from etlfabric_dagster.schemas.dbt_models import DbtDraftOut
from etlfabric_dagster.schemas.runs import ErrorInfo
from etlfabric_dagster.services.scope import OrgScope


async def save(scope: OrgScope, path: str, content: str, error: FabricError) -> None:
    """Keep it with the reason it does not compile, replacing the draft before."""
    scope.require("dbt_models.put")
    reason = ErrorInfo(
        message=error.message, remedy=error.remedy, code=error.code, where=error.where
    )
    values = {
        "content": content,
        "author": scope.actor.label,
        "error": reason.model_dump(mode="json"),
    }
    await scope.session.execute(
        insert(DbtDraft)
        .values(path=path, **values)
        .on_conflict_do_update(
            index_elements=["path"], set_=values | {"updated_at": func.clock_timestamp()}
        )
    )


async def get(scope: OrgScope, path: str) -> DbtDraftOut | None:
    """The draft at a path, with its content."""
    row = await scope.session.scalar(select(DbtDraft).where(DbtDraft.path == path))
    return _out(row, content=True) if row else None


async def all_of(scope: OrgScope) -> dict[str, DbtDraftOut]:
    """All drafts by path, without their content."""
    rows = await scope.session.scalars(select(DbtDraft).order_by(DbtDraft.path))
    return {row.path: _out(row, content=False) for row in rows}


async def discard(scope: OrgScope, path: str) -> bool:
    """Drop the draft at a path; the last good content stays. Returns whether there was one."""
    scope.require("dbt_models.put")
    gone = await scope.session.execute(
        delete(DbtDraft).where(DbtDraft.path == path).returning(DbtDraft.id)
    )
    return gone.scalar_one_or_none() is not None


def _out(row: DbtDraft, *, content: bool) -> DbtDraftOut:
    return DbtDraftOut(
        content=row.content if content else None,
        author=row.author,
        error=ErrorInfo.model_validate(row.error) if row.error else None,
        updated_at=row.updated_at,
    )
