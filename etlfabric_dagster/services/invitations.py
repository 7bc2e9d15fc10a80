"""Invitations: a letter that makes one person a member, once, within seven days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from limits import RateLimitItemPerDay
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import Invitation, Membership, Org, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.people import (
    InvitationMade,
    InvitationOut,
    InvitationShown,
    Role,
)
from etlfabric_dagster.security import tokens
from etlfabric_dagster.services import addresses, audit, letters, mail, members, throttle, users
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

LIFETIME = timedelta(days=7)
PER_ORG = RateLimitItemPerDay(200, namespace="invitations")


async def invite(actor: Actor, slug: str, email: str, role: Role) -> InvitationMade:
    """Ask somebody to join. The letter leaves after the commit; its link is also returned, once.

    Raises:
        PermissionDeniedError: admins invite, only owners invite owners.
        ConflictError: they are a member already, or invited.
    """
    token = tokens.new(tokens.INVITE_PREFIX)
    async with org_scope(actor, slug) as scope:
        _require(scope, role)
        await addresses.require_verified(scope.session, actor)
        email = users.normalized(email)
        await throttle.take(PER_ORG, str(scope.org_id), "invitations", "Go on tomorrow.")
        await _check_new(scope, email)
        row = Invitation(
            org_id=scope.org_id,
            email=email,
            role=role,
            token_hash=tokens.digest(token),
            invited_by=actor.label,
            expires_at=clock.now() + LIFETIME,
        )
        scope.session.add(row)
        await scope.session.flush()
        await scope.session.refresh(row)
        after = {"email": email, "role": role}
        await audit.record(scope, "members.invite", f"invitations/{row.id}", after=after)
        name = await _org_name(scope.session, scope.org_id)
    return await _post(row, name, token)


async def resend(actor: Actor, slug: str, invitation_id: UUID) -> InvitationMade:
    """A new letter with a new link; the old one stops working. Raises NotFoundError."""
    token = tokens.new(tokens.INVITE_PREFIX)
    async with org_scope(actor, slug) as scope:
        scope.require("members.invite")
        row = await _open(scope, invitation_id)
        _require(scope, Role(row.role))
        await addresses.require_verified(scope.session, actor)
        await throttle.take(PER_ORG, str(scope.org_id), "invitations", "Go on tomorrow.")
        row.token_hash, row.expires_at = tokens.digest(token), clock.now() + LIFETIME
        await scope.session.flush()
        after = {"resent": True}
        await audit.record(scope, "members.invite", f"invitations/{row.id}", after=after)
        name = await _org_name(scope.session, scope.org_id)
    return await _post(row, name, token)


async def list_open(scope: OrgScope) -> Page[InvitationOut]:
    """Invitations that still work, newest first."""
    scope.require("invitations.read")
    query = select(Invitation).where(Invitation.org_id == scope.org_id, *_works())
    rows = await scope.session.scalars(query.order_by(Invitation.created_at.desc()))
    return Page(items=tuple(_out(row) for row in rows))


async def revoke(scope: OrgScope, invitation_id: UUID) -> None:
    """End an invitation. Raises NotFoundError."""
    scope.require("members.invite")
    row = await _open(scope, invitation_id)
    row.revoked_at = clock.now()
    before = {"email": row.email, "role": row.role}
    target = f"invitations/{row.id}"
    await audit.record(scope, "members.invite", target, before=before, after={"revoked": True})


async def show(token: str) -> InvitationShown:
    """What the holder of the link sees. Raises NotFoundError, GoneError."""
    async with get_session() as session:
        row, org = await _find(session, token)
        known = await session.scalar(select(User.id).where(User.email == row.email))
        return InvitationShown(
            org=org.name,
            email=row.email,
            role=Role(row.role),
            invited_by=row.invited_by,
            has_account=known is not None,
        )


async def accept(
    token: str,
    *,
    actor: Actor | None = None,
    name: str = "",
    password: str = "",
    address: str | None = None,
) -> UUID:
    """Become a member: signed in as the invited address, or as a new person with a password.

    Returns who joined. Raises:
        NotFoundError: nobody was invited with this link.
        GoneError: it was used, revoked or has expired.
        UnauthenticatedError: the address has an account: sign in first.
        PermissionDeniedError: signed in as somebody else.
        InvalidInputError: the new password.
    """
    async with get_session() as session:
        row, org = await _find(session, token)
        email, org_id = row.email, org.id
        known = await session.scalar(select(User).where(User.email == email))
    if actor is not None and actor.label != email:
        raise PermissionDeniedError(
            f"You are signed in as {actor.label}; the invitation is for {email}.",
            "Sign out, then open the link again.",
            code="other_account",
        )
    if known is not None and actor is None:
        raise UnauthenticatedError(
            f"{email} has an account already.", "Sign in with it, then open the link again."
        )
    hashed = None if known else await users.new_hash(password, email, name)
    async with get_session() as session:
        await _use(session, token)
        user = known or await users.add(session, email, name=name, password_hash=hashed)
        joined = Actor(email, user_id=user.id, via="api", address=address)
        await members.add(session, org_id, user.id, Role(row.role))
        target, after = f"members/{email}", {"role": row.role}
        await audit.write(session, joined, "members.join", target, org_id=org_id, after=after)
        return user.id


async def _use(session: AsyncSession, token: str) -> None:
    """Of two who use a link at once, one gets it. Raises GoneError."""
    statement = (
        update(Invitation)
        .where(Invitation.token_hash == tokens.digest(token), *_works())
        .values(accepted_at=func.clock_timestamp())
        .returning(Invitation.id)
    )
    if await session.scalar(statement) is None:
        raise _gone()


async def _find(session: AsyncSession, token: str) -> tuple[Invitation, Org]:
    query = (
        select(Invitation, Org)
        .join(Org, Org.id == Invitation.org_id)
        .where(Invitation.token_hash == tokens.digest(token), Org.status != OrgStatus.ERASING)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise NotFoundError("There is no such invitation.", "Ask for a new one.")
    row, org = found
    if row.accepted_at or row.revoked_at or row.expires_at <= clock.now():
        raise _gone()
    return row, org


async def _check_new(scope: OrgScope, email: str) -> None:
    """Locks the org's row, so that two who invite the same address make one invitation."""
    await scope.session.execute(select(Org.id).where(Org.id == scope.org_id).with_for_update())
    member = select(Membership.id).join(User, User.id == Membership.user_id)
    where = Membership.org_id == scope.org_id, User.email == email
    if await scope.session.scalar(member.where(*where)):
        raise ConflictError(
            f"{email} is a member already.", "Change their role instead.", email=email
        )
    invited = select(Invitation.id).where(
        Invitation.org_id == scope.org_id, Invitation.email == email, *_works()
    )
    if known := await scope.session.scalar(invited):
        raise ConflictError(
            f"{email} is invited already.", "Resend that invitation.", invitation=str(known)
        )


async def _open(scope: OrgScope, invitation_id: UUID) -> Invitation:
    row = await scope.session.scalar(
        select(Invitation)
        .where(Invitation.id == invitation_id, Invitation.org_id == scope.org_id, *_works())
        .with_for_update()
    )
    if row is None:
        raise NotFoundError(
            f"There is no open invitation {invitation_id}.", "List the invitations."
        )
    return row


def _require(scope: OrgScope, role: Role) -> None:
    scope.require("members.invite")
    if role is Role.OWNER:
        scope.require("members.make_owner")


def _works() -> tuple[Any, ...]:
    return (
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > func.clock_timestamp(),
    )


async def _org_name(session: AsyncSession, org_id: UUID) -> str:
    return (await session.scalars(select(Org.name).where(Org.id == org_id))).one()


async def _post(row: Invitation, org: str, token: str) -> InvitationMade:
    link = mail.link(f"invite/{token}")
    letter = letters.invitation(row.invited_by, org, Role(row.role), link)
    mailed = await mail.try_to_send(row.email, *letter)
    return InvitationMade(**_out(row).model_dump(), link=link, mailed=mailed)


def _out(row: Invitation) -> InvitationOut:
    return InvitationOut.model_validate(row, from_attributes=True, extra="ignore")


def _gone() -> GoneError:
    return GoneError("This invitation has expired or was used.", "Ask for a new one.")
