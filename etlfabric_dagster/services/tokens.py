"""API tokens: programs that act as a person, or as less. Stored as digests, shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import ApiToken, Membership, Org, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import TokenOut
from etlfabric_dagster.schemas.people import Role, TokenInfo, TokenLimits
from etlfabric_dagster.security.tokens import API_PREFIX, digest, new
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import (
    Actor,
    OrgScope,
    find_org,
    require_operator,
    require_own_password,
)

DEFAULT_DAYS, MAX_DAYS = 90, 366
MAX_NAME = 80
SEEN_EVERY = timedelta(minutes=1)
"""How often a token's last use is written: not at every request."""


async def create(
    actor: Actor,
    name: str,
    *,
    org: str | None = None,
    role: Role | None = None,
    read_only: bool = False,
    days: int = DEFAULT_DAYS,
) -> TokenOut:
    """A token that acts as the actor, within the given limits; shown this once.

    A token with limits never acts as operator.

    Raises:
        PermissionDeniedError: a limited token asks for another.
        NotFoundError: no such org of the actor's.
        InvalidInputError: name or lifetime.
    """
    require_own_password(actor)
    if actor.limits is not None or actor.user_id is None:
        raise PermissionDeniedError(
            "A limited token creates no tokens.", "Sign in, then create it."
        )
    _check(name, days)
    token = new(API_PREFIX)
    async with get_session() as session:
        org_id = (await find_org(session, actor, org)).id if org else None
        row = ApiToken(
            user_id=actor.user_id,
            name=name.strip(),
            token_hash=digest(token),
            expires_at=clock.now() + timedelta(days=days),
            org_id=org_id,
            role=role,
            read_only=read_only,
        )
        session.add(row)
        await session.flush()
        facts = {"name": row.name, "role": role, "read_only": read_only, "days": days}
        await audit.write(
            session, actor, "tokens.create", f"tokens/{row.id}", org_id=org_id, after=facts
        )
        return TokenOut(id=row.id, email=actor.label, token=token, expires_at=row.expires_at)


async def issue_for(
    actor: Actor,
    email: str,
    name: str = "cli",
    *,
    org: str | None = None,
    role: Role | None = None,
    read_only: bool = False,
    days: int = DEFAULT_DAYS,
) -> TokenOut:
    """A token that acts as somebody else, within the given limits; shown this once. Operators.

    Raises:
        NotFoundError: no such person or org, or the person is no member of it.
        InvalidInputError: name or lifetime.
    """
    require_operator(actor, "issue tokens for others")
    _check(name, days)
    token = new(API_PREFIX)
    async with get_session() as session:
        user = await session.scalar(select(User).where(User.email == email.strip().lower()))
        if user is None:
            raise NotFoundError(
                f"There is no user {email}.", f"Create it: etlfabric users create {email}"
            )
        org_id = await _org_of_member(session, actor, org, user) if org else None
        row = ApiToken(
            user_id=user.id,
            name=name.strip(),
            token_hash=digest(token),
            expires_at=clock.now() + timedelta(days=days),
            org_id=org_id,
            role=role,
            read_only=read_only,
        )
        session.add(row)
        await session.flush()
        facts = {"for": user.email, "name": row.name, "role": role, "read_only": read_only}
        target = f"tokens/{row.id}"
        await audit.write(
            session, actor, "tokens.create", target, org_id=org_id, after=facts | {"days": days}
        )
        return TokenOut(id=row.id, email=user.email, token=token, expires_at=row.expires_at)


async def authenticate(token: str) -> Actor:
    """Who a token acts as. Raises UnauthenticatedError for unknown, expired, revoked."""
    query = (
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(ApiToken.token_hash == digest(token), User.disabled_at.is_(None), *_alive())
    )
    async with get_session() as session:
        found = (await session.execute(query)).one_or_none()
        if found is None:
            raise UnauthenticatedError(
                "The token is unknown, expired or revoked.",
                "Create a token in the control panel, or: etlfabric users token EMAIL",
            )
        user, row = found
        moment = clock.now()
        if row.last_used_at is None or moment - row.last_used_at > SEEN_EVERY:
            used = update(ApiToken).where(ApiToken.id == row.id)
            await session.execute(used.values(last_used_at=moment, updated_at=row.updated_at))
    limits = TokenLimits(org_id=row.org_id, role=row.role, read_only=row.read_only)
    limited = limits != TokenLimits()
    return Actor(
        user.email,
        user_id=user.id,
        is_operator=user.is_operator and not limited,
        limits=limits if limited else None,
    )


async def list_own(actor: Actor) -> Page[TokenInfo]:
    """The actor's tokens that work, newest first."""
    async with get_session() as session:
        rows = await session.execute(_listed().where(ApiToken.user_id == actor.user_id))
        return Page(items=tuple(_info(*row) for row in rows))


async def list_in_org(scope: OrgScope) -> Page[TokenInfo]:
    """All tokens that open the org: bound to it, or of a member and without that limit."""
    scope.require("tokens.read")
    members = select(Membership.user_id).where(Membership.org_id == scope.org_id)
    opens = or_(
        ApiToken.org_id == scope.org_id,
        ApiToken.org_id.is_(None) & ApiToken.user_id.in_(members),
    )
    rows = await scope.session.execute(_listed().where(opens))
    return Page(items=tuple(_info(*row) for row in rows))


async def revoke_own(actor: Actor, token_id: UUID) -> None:
    """End a token of the actor's. Raises NotFoundError."""
    if actor.limits is not None:
        raise PermissionDeniedError("A limited token revokes no tokens.", "Sign in, then do it.")
    async with get_session() as session:
        row = await session.scalar(
            select(ApiToken).where(
                ApiToken.id == token_id, ApiToken.user_id == actor.user_id, *_alive()
            )
        )
        if row is None:
            raise _no_token(token_id)
        row.revoked_at = clock.now()
        await audit.write(session, actor, "tokens.revoke", f"tokens/{token_id}", org_id=row.org_id)


async def revoke_in_org(scope: OrgScope, token_id: UUID) -> None:
    """End a token that is bound to the org. Raises NotFoundError, also for tokens of all orgs: who
    owns one revokes it, or is removed from the org.
    """
    scope.require("tokens.revoke")
    row = await scope.session.scalar(
        select(ApiToken).where(ApiToken.id == token_id, ApiToken.org_id == scope.org_id, *_alive())
    )
    if row is None:
        raise _no_token(token_id)
    row.revoked_at = clock.now()
    await audit.record(scope, "tokens.revoke", f"tokens/{token_id}")


async def _org_of_member(session: AsyncSession, actor: Actor, slug: str, user: User) -> UUID:
    """A token opens no org that its owner is not in: better said now."""
    org = await find_org(session, actor, slug)
    theirs = Membership.org_id == org.id, Membership.user_id == user.id
    if await session.scalar(select(Membership.id).where(*theirs)) is None:
        raise NotFoundError(
            f"{user.email} is no member of '{slug}'.",
            f"Invite them: etlfabric members invite {slug} {user.email}",
        )
    return org.id


def _alive() -> tuple[Any, ...]:
    return ApiToken.revoked_at.is_(None), ApiToken.expires_at > func.clock_timestamp()


def _listed() -> Select[Any]:
    return (
        select(ApiToken, User.email, Org.slug)
        .join(User, User.id == ApiToken.user_id)
        .outerjoin(Org, Org.id == ApiToken.org_id)
        .where(*_alive())
        .order_by(ApiToken.created_at.desc(), ApiToken.id)
    )


def _info(row: ApiToken, email: str, org: str | None) -> TokenInfo:
    return TokenInfo(
        id=row.id,
        name=row.name,
        email=email,
        org=org,
        role=Role(row.role) if row.role else None,
        read_only=row.read_only,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _check(name: str, days: int) -> None:
    if not 1 <= len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise InvalidInputError(
            "The token needs a name.", f"Use 1 to {MAX_NAME} visible characters.", field="name"
        )
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInputError(
            f"A token cannot live {days} days.", f"Give 1 to {MAX_DAYS} days.", field="days"
        )


def _no_token(token_id: UUID) -> NotFoundError:
    return NotFoundError(f"There is no token {token_id}.", "List them, and check the id.")
