"""People as operators see them, and what all ways to an account share. Passwords are argon2id."""

from __future__ import annotations

import re
import secrets
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
)
from etlfabric_dagster.models import User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import UserOut
from etlfabric_dagster.schemas.people import SessionOut
from etlfabric_dagster.security import passwords
from etlfabric_dagster.services import (
    audit,
    paging,
    sessions,
)
from etlfabric_dagster.services.scope import Actor, require_operator

MAX_NAME = 80

_EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"(),:;\[\]\\]{1,64}@[^@\s\x00-\x1f<>\"(),:;\\]{1,189}")


async def create(actor: Actor, email: str, *, operator: bool = False, name: str = "") -> UserOut:
    """Register a person without a password. Raises ConflictError when the address is known."""
    require_operator(actor, "create users")
    async with get_session() as session:
        user = await add(session, email, name=name, operator=operator, verified=True)
        after = {"email": user.email, "is_operator": operator}
        await audit.write(session, actor, "users.create", f"users/{user.email}", after=after)
        return _out(user)


async def add(
    session: AsyncSession,
    email: str,
    *,
    name: str = "",
    operator: bool = False,
    password_hash: str | None = None,
    verified: bool = False,
) -> User:
    """Insert a person. Raises ConflictError, InvalidInputError.

    Args:
        verified: the address is known to be theirs; an operator vouches for whom they register.
    """
    email = normalized(email)
    user = User(
        email=email,
        name=checked_name(name),
        is_operator=operator,
        password_hash=password_hash,
        email_verified_at=clock.now() if verified else None,
    )
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError as exc:
        raise ConflictError(
            f"There is already a user {email}.", "Use that one, or sign in.", email=email
        ) from exc
    await session.refresh(user)
    return user


async def ensure_operator(email: str) -> tuple[UserOut, str | None]:
    """The install's first operator and a one-time password, None when one exists already."""
    async with get_session() as session:
        known = await find(session, email)
        if known:
            return _out(known), None
        password = secrets.token_urlsafe(12)
        user = User(
            email=email,
            is_operator=True,
            password_hash=await passwords.hashed(password),
            must_change_password=True,
            email_verified_at=clock.now(),
        )
        session.add(user)
        await session.flush()
        await session.refresh(user)
        return _out(user), password


async def list_users(actor: Actor, cursor: str | None = None, limit: int = 200) -> Page[UserOut]:
    """All users by address, one page. Operators."""
    require_operator(actor, "list all users")
    query = select(User).order_by(User.email).limit(limit + 1)
    if cursor:
        query = query.where(User.email > paging.decode(cursor, str)[0])
    async with get_session() as session:
        found = [_out(row) for row in await session.scalars(query)]
    return paging.page(found, limit, lambda user: (user.email,))


async def get(actor: Actor, email: str) -> UserOut:
    """One person. Operators. Raises NotFoundError."""
    require_operator(actor, "look at all users")
    async with get_session() as session:
        return _out(await _require(session, email))


async def set_disabled(actor: Actor, email: str, *, disabled: bool) -> UserOut:
    """Shut a person out at once, sessions and tokens included, or let them in again. Operators."""
    require_operator(actor, "disable users")
    async with get_session() as session:
        user = await _require(session, email)
        if user.id == actor.user_id:
            raise ConflictError("You cannot disable yourself.", "Ask another operator.")
        user.disabled_at = clock.now() if disabled else None
        await sessions.end_all(session, user.id)
        action = "users.disable" if disabled else "users.enable"
        await audit.write(session, actor, action, f"users/{user.email}")
        return _out(user)


async def sessions_of(actor: Actor, email: str) -> Page[SessionOut]:
    """Where a person is signed in, newest first. Operators. Raises NotFoundError."""
    require_operator(actor, "see where others are signed in")
    async with get_session() as session:
        user = await _require(session, email)
    return await sessions.list_of(actor, user.id)


async def sign_out(actor: Actor, email: str) -> UserOut:
    """End a person's sessions; they may sign in again, and their tokens go on. Operators."""
    require_operator(actor, "sign others out")
    async with get_session() as session:
        user = await _require(session, email)
        await sessions.end_all(session, user.id)
        await audit.write(session, actor, "users.sign_out", f"users/{user.email}")
        return _out(user)


async def set_password(email: str, password: str) -> None:
    """Set somebody's password of at least 12 characters; a one-time one expires with it."""
    hashed = await new_hash(password, email)
    async with get_session() as session:
        await store_password(session, await _require(session, email), hashed)


async def one_time_password(actor: Actor, email: str) -> str:
    """A password that opens nothing but its own change, shown this once. Operators."""
    require_operator(actor, "reset passwords of others")
    password = secrets.token_urlsafe(12)
    hashed = await passwords.hashed(password)
    async with get_session() as session:
        user = await _require(session, email)
        await store_password(session, user, hashed)
        user.must_change_password = True
        await audit.write(session, actor, "users.password", f"users/{user.email}")
    return password


async def new_hash(password: str, email: str, name: str = "") -> str:
    """The hash of a password that is good enough. Raises InvalidInputError."""
    if fault := passwords.fault(password, email, email.split("@")[0], *filter(None, [name])):
        raise InvalidInputError(
            fault, f"Use at least {passwords.MIN_LENGTH} characters.", field="password"
        )
    return await passwords.hashed(password)


def normalized(email: str) -> str:
    """As it is stored and compared. Raises InvalidInputError."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        shown = "".join(char for char in email[:80] if char.isprintable())
        raise InvalidInputError(
            f"'{shown}' is not an email address.", "Write name@domain.", field="email"
        )
    return email


async def store_password(
    session: AsyncSession, user: User, hashed: str, keep: UUID | None = None
) -> None:
    """All sessions end but `keep`; a one-time password is one no longer."""
    user.password_hash, user.must_change_password = hashed, False
    await sessions.end_all(session, user.id, keep)


async def _require(session: AsyncSession, email: str) -> User:
    user = await find(session, normalized(email))
    if user is None:
        raise NotFoundError(
            f"There is no user {email}.", f"Create it: etlfabric users create {email}"
        )
    return user


async def find(session: AsyncSession, email: str) -> User | None:
    """Who has this normalized address."""
    return await session.scalar(select(User).where(User.email == email))


def checked_name(name: str) -> str | None:
    """Without needless spaces; None for no name. Raises InvalidInputError."""
    name = " ".join(name.split())
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInputError(
            "That cannot be a name.", f"Use up to {MAX_NAME} visible characters.", field="name"
        )
    return name or None


def _out(user: User) -> UserOut:
    return UserOut.model_validate(user, from_attributes=True, extra="ignore")
