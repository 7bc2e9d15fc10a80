"""The history of a tenant's dbt files: every stored content, who stored it, and how to go back."""

from __future__ import annotations

import difflib
import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, tuple_

from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.models import DbtModel, DbtModelVersion
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin, DbtVersion
from etlfabric_dagster.services import paging
from etlfabric_dagster.services.scope import OrgScope

KEPT = 200
"""Versions of one file; older ones are forgotten."""
PAGE = 50
FOUND = "found"


async def record(scope: OrgScope, arguments: dict[str, Any], before: dict[str, DbtFile]) -> None:
    """Keep what a change stored, in its transaction, in the name of who asked.

    A file that is older than its history is kept as it was found.
    """
    for path in sorted({*arguments["put"], *arguments["delete"]}):
        old, new = before.get(path), arguments["put"].get(path)
        known = await _newest(scope, path)
        if old is not None and old.origin is DbtOrigin.TENANT and known is None:
            _add(scope, path, old.content, FOUND, "")
            await scope.session.flush()
        if (old.content if old else None) != new:
            action = arguments["kept_as"] if new is not None else "delete"
            _add(scope, path, new, action, arguments["asker"]["label"])
            await scope.session.flush()
            await _forget_oldest(scope, path)


async def list_versions(
    scope: OrgScope, path: str, *, cursor: str | None = None, limit: int = PAGE
) -> Page[DbtVersion]:
    """Versions of a file, newest first, without their content. Empty for a file without history."""
    query = select(DbtModelVersion).where(DbtModelVersion.path == path)
    key = tuple_(DbtModelVersion.created_at, DbtModelVersion.id)
    if cursor:
        query = query.where(key < paging.decode(cursor, datetime.fromisoformat, UUID))
    query = query.order_by(DbtModelVersion.created_at.desc(), DbtModelVersion.id.desc())
    rows = list(await scope.session.scalars(query.limit(limit + 1)))
    found = [_out(row, content=False) for row in rows]
    return paging.page(found, limit, lambda item: (item.created_at.isoformat(), item.id))


async def get(scope: OrgScope, path: str, version: UUID) -> DbtVersion:
    """One version with its content. Raises NotFoundError."""
    return _out(await _find(scope, path, version), content=True)


async def diff(scope: OrgScope, path: str, version: UUID, against: UUID | None = None) -> str:
    """A unified diff from a version to the stored file, or to another version; empty if equal."""
    old = await _find(scope, path, version)
    if against is not None:
        new = (await _find(scope, path, against)).content
    else:
        new = await scope.session.scalar(select(DbtModel.content).where(DbtModel.path == path))
    lines = difflib.unified_diff(
        (old.content or "").splitlines(),
        (new or "").splitlines(),
        fromfile=f"{path} ({old.created_at:%Y-%m-%d %H:%M:%S} UTC)",
        tofile=path,
        lineterm="",
    )
    return "\n".join(lines)


async def content_of(scope: OrgScope, path: str, version: UUID) -> str:
    """What to restore. Raises NotFoundError, and InvalidInputError where it was deleted."""
    row = await _find(scope, path, version)
    if row.content is None:
        raise InvalidInputError(
            f"That version is the moment when {path} was deleted.",
            "Choose a version before it.",
            field="version",
        )
    return row.content


def _add(scope: OrgScope, path: str, content: str | None, action: str, author: str) -> None:
    digest = hashlib.sha256((content or "").encode()).hexdigest()
    scope.session.add(
        DbtModelVersion(path=path, content=content, digest=digest, action=action, author=author)
    )


async def _newest(scope: OrgScope, path: str) -> UUID | None:
    query = select(DbtModelVersion.id).where(DbtModelVersion.path == path)
    return await scope.session.scalar(query.order_by(DbtModelVersion.created_at.desc()).limit(1))


async def _forget_oldest(scope: OrgScope, path: str) -> None:
    old = (
        select(DbtModelVersion.id)
        .where(DbtModelVersion.path == path)
        .order_by(DbtModelVersion.created_at.desc(), DbtModelVersion.id.desc())
        .offset(KEPT)
    )
    await scope.session.execute(delete(DbtModelVersion).where(DbtModelVersion.id.in_(old)))


async def _find(scope: OrgScope, path: str, version: UUID) -> DbtModelVersion:
    row = await scope.session.get(DbtModelVersion, version)
    if row is None or row.path != path:
        raise NotFoundError(
            f"There is no version {version} of '{path[:200]}' in '{scope.slug}'.",
            f"List them: etlfabric dbt-models history {scope.slug} {path[:200]}",
        )
    return row


def _out(row: DbtModelVersion, *, content: bool) -> DbtVersion:
    return DbtVersion(
        id=row.id,
        path=row.path,
        action=row.action,
        author=row.author,
        digest=row.digest,
        lines=len((row.content or "").splitlines()),
        created_at=row.created_at,
        content=row.content if content else None,
    )
