"""The one door to a tenant's rows: an org, the actor who asks, and a session mapped to its
schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError, OrgSuspendedError, PermissionDeniedError
from etlfabric_dagster.models import Membership, Org
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.orgs import OrgStatus


@dataclass(frozen=True)
class Actor:
    """Who asks. An operator may enter every org; a user only those they are a member of."""

    label: str
    user_id: UUID | None = None
    is_operator: bool = False


OPERATOR = Actor("operator", is_operator=True)
"""Whoever has the install's settings: the CLI and the local Python API."""

SYSTEM = Actor("system", is_operator=True)
"""The platform itself: worker, scheduler."""


@dataclass(frozen=True)
class OrgScope:
    """A session that sees one org's tables, and on whose behalf."""

    session: AsyncSession
    org_id: UUID
    slug: str
    status: OrgStatus
    actor: Actor

    def require_active(self) -> None:
        """Raises OrgSuspendedError unless runs and changes are allowed."""
        if self.status is not OrgStatus.ACTIVE:
            raise OrgSuspendedError(
                f"Org '{self.slug}' is {self.status}; all its data is kept.",
                f"Resume it first: etlfabric orgs resume {self.slug}",
            )

    async def touch_config(self) -> int:
        """Count a configuration change and have the org published after the commit."""
        statement = (
            update(Org)
            .where(Org.id == self.org_id)
            .values(config_version=Org.config_version + 1)
            .returning(Org.config_version)
        )
        version = (await self.session.execute(statement)).scalar_one()
        ring_after_commit(
            self.session, "etlfabric.publish_org", str(self.org_id), queue=INTERACTIVE
        )
        return version


@asynccontextmanager
async def org_scope(actor: Actor, slug: str) -> AsyncIterator[OrgScope]:
    """Open a transaction inside an org.

    Raises:
        NotFoundError: unknown org, or one the actor may not see: both read the same.
    """
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        found = org.id, org.slug, OrgStatus(org.status)
    async with get_session(org_id=found[0]) as session:
        yield OrgScope(session, *found, actor)


@asynccontextmanager
async def org_scope_by_id(actor: Actor, org_id: UUID) -> AsyncIterator[OrgScope]:
    """The same by id, for work that carries ids only."""
    async with get_session() as session:
        slug = await session.scalar(select(Org.slug).where(Org.id == org_id))
    if slug is None:
        raise no_org(str(org_id))
    async with org_scope(actor, slug) as scope:
        yield scope


async def find_org(session: AsyncSession, actor: Actor, slug: str) -> Org:
    """The org's row, if the actor may see it."""
    query = select(Org).where(Org.slug == slug)
    if not actor.is_operator:
        query = query.join(Membership, Membership.org_id == Org.id).where(
            Membership.user_id == actor.user_id
        )
    org = await session.scalar(query)
    if org is None or org.status == OrgStatus.ERASING and not actor.is_operator:
        raise no_org(slug)
    return org


def require_operator(actor: Actor, what: str) -> None:
    """Raises PermissionDeniedError for everybody but operators."""
    if not actor.is_operator:
        raise PermissionDeniedError(f"Only operators may {what}.", "Ask an operator.")


def no_org(slug: str) -> NotFoundError:
    """How a missing org reads, to everybody."""
    return NotFoundError(f"There is no org '{slug}'.", "List them: etlfabric orgs list", org=slug)
