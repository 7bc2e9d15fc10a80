"""The one door to a tenant's rows: an org, the actor who asks, and a session mapped to its
schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError, OrgSuspendedError, PermissionDeniedError
from etlfabric_dagster.models import Membership, Org
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.people import Role, TokenLimits
from etlfabric_dagster.services.permissions import ACTIONS

READ_ONLY_SQLSTATE = "25006"
_NO_LIMITS = TokenLimits()


@dataclass(frozen=True)
class Actor:
    """Who asks, with what limits, and from where. An operator may enter every org; a user only
    those they are a member of.
    """

    label: str
    user_id: UUID | None = None
    is_operator: bool = False
    limits: TokenLimits | None = None
    """Of the API token that asks; a limited token never acts as operator."""
    must_change_password: bool = False
    """Signed in with a one-time password: no org opens until it is changed."""
    session_id: UUID | None = None
    """The session that asks, where one does."""
    via: str = "cli"
    """`cli`, `fabric`, `api`, `ui`, `dagster` or `system`."""
    address: str | None = None
    """Where the request came from."""

    def as_dict(self) -> dict[str, Any]:
        """Who asked, for work that another process finishes: a name for its records, no rights."""
        user_id = str(self.user_id) if self.user_id else None
        return {
            "label": self.label,
            "user_id": user_id,
            "via": self.via,
            "address": self.address,
        }

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Actor:
        """The same again; it may do nothing."""
        user_id = UUID(given["user_id"]) if given["user_id"] else None
        return cls(given["label"], user_id, via=given["via"], address=given["address"])


OPERATOR = Actor("operator", is_operator=True)
"""Whoever has the install's settings: the CLI and the local Python API."""

SYSTEM = Actor("system", is_operator=True, via="system")
"""The platform itself: worker, scheduler."""


@dataclass(frozen=True)
class OrgScope:
    """A session that sees one org's tables, on whose behalf, and in which role."""

    session: AsyncSession
    org_id: UUID
    slug: str
    status: OrgStatus
    actor: Actor
    role: Role
    timezone: str = "UTC"
    """IANA zone in which the org's people read times."""

    @property
    def reads_only(self) -> bool:
        """Whether the role or the token allows no change at all."""
        limits = self.actor.limits or _NO_LIMITS
        return limits.read_only or not self.role.may(Role.EDITOR)

    def require(self, action: str) -> None:
        """Every change, and every sensitive look, begins with this.

        Args:
            action: a name of `services.permissions.ACTIONS`.

        Raises:
            PermissionDeniedError: the role, or the token, does not allow it.
            OrgSuspendedError: the action needs an org that is active.
        """
        permission = ACTIONS[action]
        if not self.role.may(permission.role):
            raise PermissionDeniedError(
                f"{permission.role.capitalize()}s can {permission.what};"
                f" you are {self.role} of '{self.slug}'.",
                f"Ask an admin or owner of '{self.slug}'.",
                action=action,
                role=str(self.role),
                needs=str(permission.role),
                org=self.slug,
            )
        if permission.changes and self.reads_only:
            raise _reads_only(self)
        if not permission.in_suspended_org:
            self.require_active()

    def require_active(self) -> None:
        """Raises OrgSuspendedError unless runs and changes are allowed."""
        if self.status is not OrgStatus.ACTIVE:
            raise OrgSuspendedError(
                f"Org '{self.slug}' is {self.status}; all its data is kept.",
                f"Ask the operator of this install to resume it: etlfabric orgs resume {self.slug}",
                org=self.slug,
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
        org, role = await _enter(session, actor, slug)
        found = org.id, org.slug, OrgStatus(org.status)
        zone = org.timezone
    async with (
        get_session(org_id=found[0]) as session,
        _guarded(OrgScope(session, *found, actor, role, zone)) as scope,
    ):
        yield scope


@asynccontextmanager
async def org_scope_by_id(actor: Actor, org_id: UUID) -> AsyncIterator[OrgScope]:
    """The same by id, for work that carries ids only; one transaction."""
    async with get_session(org_id=org_id) as session:
        org, role = await _enter(session, actor, org_id)
        found = OrgScope(
            session, org.id, org.slug, OrgStatus(org.status), actor, role, org.timezone
        )
        async with _guarded(found) as scope:
            yield scope


@asynccontextmanager
async def _guarded(scope: OrgScope) -> AsyncIterator[OrgScope]:
    """The scope in a transaction that cannot write what its actor may not."""
    if scope.reads_only:  # whatever a service forgets to ask
        await scope.session.execute(text("SET TRANSACTION READ ONLY"))
    try:
        yield scope
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) != READ_ONLY_SQLSTATE:
            raise
        raise _reads_only(scope) from exc


async def require(actor: Actor, slug: str, action: str) -> UUID:
    """`OrgScope.require` ahead of slow work that opens its scopes later; answers the org's id."""
    async with get_session() as session:
        org, role = await _enter(session, actor, slug)
        found = org.id, org.slug, OrgStatus(org.status)
        OrgScope(session, *found, actor, role).require(action)
        return org.id


async def find_org(session: AsyncSession, actor: Actor, slug: str) -> Org:
    """The org's row, if the actor may see it."""
    return (await _enter(session, actor, slug))[0]


async def _enter(session: AsyncSession, actor: Actor, which: str | UUID) -> tuple[Org, Role]:
    """The org of a slug or an id, and the actor's role in it. Raises NotFoundError, also for a
    stranger's org.
    """
    require_own_password(actor)
    joined = (Membership.org_id == Org.id) & (Membership.user_id == actor.user_id)
    query = select(Org, Membership.role).outerjoin(Membership, joined)
    query = query.where(Org.id == which if isinstance(which, UUID) else Org.slug == which)
    org, member = (await session.execute(query)).one_or_none() or (None, None)
    limits = actor.limits or _NO_LIMITS
    role = Role.OWNER if actor.is_operator else member and Role(member)
    if org is None or not role or limits.org_id not in (None, org.id):
        raise no_org(str(which))
    if org.status == OrgStatus.ERASING and role is not Role.OWNER:
        raise no_org(str(which))
    return org, role.limited_to(limits.role)


def _reads_only(scope: OrgScope) -> PermissionDeniedError:
    limits = scope.actor.limits or _NO_LIMITS
    what = "This API token is read-only" if limits.read_only else f"You are {scope.role}"
    return PermissionDeniedError(
        f"{what} in '{scope.slug}': nothing can be changed with it.",
        f"Ask an admin or owner of '{scope.slug}' for more rights.",
        org=scope.slug,
    )


def require_own_password(actor: Actor) -> None:
    """Raises PermissionDeniedError while the actor's password is the one-time one."""
    if actor.must_change_password:
        raise PermissionDeniedError(
            "The one-time password opens nothing but the change of it.",
            "Set your own password first.",
            code="password_change_required",
        )


def require_operator(actor: Actor, what: str) -> None:
    """Raises PermissionDeniedError for everybody but operators."""
    require_own_password(actor)
    if not actor.is_operator:
        raise PermissionDeniedError(f"Only operators may {what}.", "Ask an operator.")


def no_org(slug: str) -> NotFoundError:
    """How a missing org reads, to everybody."""
    return NotFoundError(f"There is no org '{slug}'.", "List them: etlfabric orgs list", org=slug)
