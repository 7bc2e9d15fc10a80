"""Members of an org and their roles. An org keeps at least one owner."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, NotFoundError
from etlfabric_dagster.models import Membership, Session, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.people import MemberOut, Role
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import Actor, OrgScope, find_org


async def list_members(scope: OrgScope) -> Page[MemberOut]:
    """Everybody in the org by address."""
    seen = (
        select(func.max(Session.updated_at))
        .where(Session.user_id == User.id)
        .correlate(User)
        .scalar_subquery()
    )
    query = (
        select(Membership, User, seen)
        .join(User, User.id == Membership.user_id)
        .where(Membership.org_id == scope.org_id)
        .order_by(User.email)
    )
    rows = await scope.session.execute(query)
    return Page(items=tuple(_out(*row) for row in rows))


async def get(scope: OrgScope, user_id: UUID) -> MemberOut:
    """One member, without when they were last seen. Raises NotFoundError."""
    return _out(*await _find(scope.session, scope.org_id, user_id), None)


async def first_owner(scope: OrgScope) -> str:
    """Whom to ask for more rights: the name or address of the org's oldest owner; "" = none."""
    query = (
        select(func.coalesce(User.name, User.email))
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.org_id == scope.org_id, Membership.role == Role.OWNER)
        .order_by(Membership.created_at)
    )
    return await scope.session.scalar(query.limit(1)) or ""


async def set_role(scope: OrgScope, user_id: UUID, role: Role) -> MemberOut:
    """Change what a member may do.

    Raises:
        NotFoundError: no such member.
        PermissionDeniedError: only owners make owners, or unmake them.
        ConflictError: the last owner stays one.
    """
    scope.require("members.update")
    row, user = await _find(scope.session, scope.org_id, user_id)
    if Role.OWNER in (role, row.role):
        scope.require("members.make_owner")
    if row.role == Role.OWNER and role is not Role.OWNER:
        await _keep_an_owner(scope.session, scope.org_id, scope.slug)
    before, row.role = row.role, role
    await scope.session.flush()
    await audit.record(
        scope,
        "members.update",
        f"members/{user.email}",
        before={"role": before},
        after={"role": role},
    )
    return _out(row, user, None)


async def remove(scope: OrgScope, user_id: UUID) -> None:
    """Take a person out of the org; their tokens bound to it end with that.

    Raises NotFoundError, PermissionDeniedError and ConflictError as `set_role`.
    """
    scope.require("members.remove")
    row, user = await _find(scope.session, scope.org_id, user_id)
    if row.role == Role.OWNER:
        scope.require("members.make_owner")
    await _remove(scope.session, scope.actor, scope.slug, row, user)


async def leave(actor: Actor, slug: str) -> None:
    """Take oneself out of an org, in any role. Raises ConflictError for the last owner."""
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        row, user = await _find(session, org.id, actor.user_id or UUID(int=0))
        await _remove(session, actor, slug, row, user)


async def add(session: AsyncSession, org_id: UUID, user_id: UUID, role: Role) -> bool:
    """Make a person a member; False when they are one already, whose role stays."""
    known = await session.scalar(
        select(Membership.id).where(Membership.org_id == org_id, Membership.user_id == user_id)
    )
    if known is None:
        session.add(Membership(org_id=org_id, user_id=user_id, role=role))
        await session.flush()
    return known is None


async def _remove(
    session: AsyncSession, actor: Actor, slug: str, row: Membership, user: User
) -> None:
    if row.role == Role.OWNER:
        await _keep_an_owner(session, row.org_id, slug)
    before = {"role": row.role}
    await session.delete(row)
    await session.flush()
    target = f"members/{user.email}"
    await audit.write(session, actor, "members.remove", target, org_id=row.org_id, before=before)


async def _keep_an_owner(session: AsyncSession, org_id: UUID, slug: str) -> None:
    """Locks the owners: of two who leave at once, the second is refused."""
    query = select(Membership.id).where(Membership.org_id == org_id, Membership.role == Role.OWNER)
    owners = await session.scalars(query.order_by(Membership.id).with_for_update())
    if len(owners.all()) < 2:
        raise ConflictError(
            "An org needs at least one owner.",
            "Make somebody else an owner first.",
            code="last_owner",
            org=slug,
        )


async def _find(session: AsyncSession, org_id: UUID, user_id: UUID) -> tuple[Membership, User]:
    query = (
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.org_id == org_id, Membership.user_id == user_id)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no member {user_id} in this org.", "List the members.")
    return found[0], found[1]


def _out(row: Membership, user: User, seen: object) -> MemberOut:
    return MemberOut.model_validate(
        {
            "user_id": user.id,
            "email": user.email,
            "name": user.name,
            "role": row.role,
            "last_seen_at": seen,
            "joined_at": row.created_at,
        }
    )
