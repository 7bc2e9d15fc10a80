"""The audit log of an org."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from etlfabric_dagster.api.deps import PageQuery, Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.audit import AuditEventOut
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services import audit

router = org_router("audit")


@router.get("")
async def list_audit_events(
    scope: Scoped,
    page: PageQuery,
    action: Annotated[str | None, Query(max_length=60)] = None,
    actor_id: UUID | None = None,
    since: datetime | None = None,
) -> Page[AuditEventOut]:
    """What was changed by whom, newest first. Admins."""
    return await audit.list_events(
        scope,
        action=action,
        actor_id=actor_id,
        since=since,
        cursor=page.cursor,
        limit=page.limit,
    )
