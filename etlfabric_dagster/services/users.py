"""People and their tokens. Passwords are argon2id; tokens are stored as SHA-256 only."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import ApiToken, Membership, Org, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import OrgStatus, TokenOut, UserOut
from etlfabric_dagster.schemas.people import Me, MyOrg, Role
from etlfabric_dagster.services.scope import Actor, require_operator

TOKEN_PREFIX = "etlf_"  # noqa: S105 - a prefix by which scanners find leaked tokens
TOKEN_LIFETIME = timedelta(days=90)
MIN_PASSWORD = 12

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_hasher = PasswordHasher()


@cache
def _dummy() -> str:
    return _hasher.hash("the same work for unknown people")


async def create(actor: Actor, email: str, *, operator: bool = False) -> UserOut:
    """Register a person without a password. Raises ConflictError when the address is known."""
    require_operator(actor, "create users")
    email = _normalized(email)
    async with get_session() as session:
        if await _find(session, email):
            raise ConflictError(f"There is already a user {email}.", "Use that one.", email=email)
        user = User(email=email, is_operator=operator)
        session.add(user)
        await session.flush()
        await session.refresh(user)
        return _out(user)


async def ensure_operator(email: str) -> tuple[UserOut, str | None]:
    """The install's first operator and a one-time password, None when one exists already."""
    async with get_session() as session:
        known = await _find(session, email)
        if known:
            return _out(known), None
        password = secrets.token_urlsafe(12)
        user = User(
            email=email,
            is_operator=True,
            password_hash=_hasher.hash(password),
            must_change_password=True,
        )
        session.add(user)
        await session.flush()
        await session.refresh(user)
        return _out(user), password


async def list_users(actor: Actor) -> Page[UserOut]:
    """All users by address."""
    require_operator(actor, "list all users")
    async with get_session() as session:
        rows = await session.scalars(select(User).order_by(User.email))
        return Page(items=tuple(_out(row) for row in rows))


async def me(actor: Actor) -> Me:
    """The signed-in person and their orgs. Raises UnauthenticatedError for who is no person."""
    query = (
        select(Org.slug, Org.name, Membership.role)
        .join(Membership, Membership.org_id == Org.id)
        .where(Membership.user_id == actor.user_id, Org.status != OrgStatus.ERASING)
        .order_by(Org.slug)
    )
    if actor.limits and actor.limits.org_id:
        query = query.where(Org.id == actor.limits.org_id)
    async with get_session() as session:
        user = await session.get(User, actor.user_id) if actor.user_id else None
        if user is None:
            raise UnauthenticatedError("Nobody is signed in.", "Sign in first.")
        rows = await session.execute(query)
        found = [MyOrg(slug=slug, name=name, role=Role(role)) for slug, name, role in rows]
        return Me(
            id=user.id,
            email=user.email,
            name=user.name,
            is_operator=actor.is_operator,
            must_change_password=user.must_change_password,
            orgs=tuple(found),
        )


async def issue_token(actor: Actor, email: str, name: str = "cli") -> TokenOut:
    """A new API token that acts as the user; shown this once. Raises NotFoundError."""
    require_operator(actor, "issue tokens for others")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    async with get_session() as session:
        user = await _find(session, _normalized(email))
        if user is None:
            raise NotFoundError(
                f"There is no user {email}.", f"Create it: etlfabric users create {email}"
            )
        row = ApiToken(
            user_id=user.id,
            name=name,
            token_hash=_digest(token),
            expires_at=clock.now() + TOKEN_LIFETIME,
        )
        session.add(row)
        await session.flush()
        return TokenOut(id=row.id, email=user.email, token=token, expires_at=row.expires_at)


async def authenticate(token: str) -> Actor:
    """Who a bearer token acts as. Raises UnauthenticatedError for unknown, expired, revoked."""
    query = (
        select(User, ApiToken.id)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(
            ApiToken.token_hash == _digest(token),
            ApiToken.expires_at > func.clock_timestamp(),
            ApiToken.revoked_at.is_(None),
            User.disabled_at.is_(None),
        )
    )
    async with get_session() as session:
        found = (await session.execute(query)).one_or_none()
        if found is None:
            raise UnauthenticatedError(
                "The token is unknown, expired or revoked.",
                "Issue one: etlfabric users token EMAIL",
            )
        user, token_id = found
        await session.execute(
            update(ApiToken)
            .where(ApiToken.id == token_id)
            .values(last_used_at=func.clock_timestamp())
        )
        return _actor(user)


async def authenticate_password(email: str, password: str) -> Actor:
    """Who signs in. The same work and words for unknown people as for a wrong password."""
    async with get_session() as session:
        user = await _find(session, email.strip().lower())
        dummy = _dummy()  # for everybody: the first call makes it
        stored = user.password_hash if user and user.password_hash else dummy
        try:
            _hasher.verify(stored, password)
        except VerificationError:
            user = None
        if user is None or user.disabled_at is not None or stored is dummy:
            raise UnauthenticatedError("Email or password is wrong.", "Check both, then try again.")
        return _actor(user)


async def set_password(email: str, password: str) -> None:
    """Set a password of at least 12 characters; a one-time one expires with it."""
    if len(password) < MIN_PASSWORD:
        raise InvalidInputError(
            f"The password has {len(password)} characters.",
            f"Use at least {MIN_PASSWORD}.",
            field="password",
        )
    async with get_session() as session:
        user = await _find(session, _normalized(email))
        if user is None:
            raise NotFoundError(f"There is no user {email}.", "Create it first.")
        user.password_hash, user.must_change_password = _hasher.hash(password), False


async def _find(session: AsyncSession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


def _normalized(email: str) -> str:
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise InvalidInputError(
            f"'{email[:80]}' is not an email address.", "Write name@domain.", field="email"
        )
    return email


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _actor(user: User) -> Actor:
    return Actor(user.email, user_id=user.id, is_operator=user.is_operator)


def _out(user: User) -> UserOut:
    return UserOut.model_validate(user, from_attributes=True, extra="ignore")
