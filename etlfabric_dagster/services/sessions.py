"""Signed-in people: a row, and signed tokens that name it. Revoking the row ends them all at once.

`access` tokens live 15 minutes and are renewed by a refresh token, which works once; a cookie holds
a `session` token that lives as long as the row. A refresh token that comes back after it was spent
was copied: its session ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import StackError, UnauthenticatedError
from etlfabric_dagster.logs import log
from etlfabric_dagster.models import Session, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.people import Grant, SessionOut
from etlfabric_dagster.security import passwords, tokens
from etlfabric_dagster.services import throttle
from etlfabric_dagster.services.scope import Actor

LIFETIME = timedelta(hours=12)
LONGEST = timedelta(days=30)
"""A session that is refreshed goes on, up to this age."""
ACCESS_LIFETIME = timedelta(minutes=15)
CODE_LIFETIME = timedelta(seconds=60)
ACCESS, SESSION = "access", "session"


async def sign_in(
    email: str, password: str, audience: str, *, user_agent: str = "", address: str = ""
) -> Grant:
    """Open a session.

    Raises:
        UnauthenticatedError: wrong pair, or nobody of that name: the same words and work.
        RateLimitedError: too many tries for this account or from this address.
    """
    email = email.strip().lower()[:254]
    await throttle.count_sign_in(email, address)
    async with get_session() as session:
        user = await session.scalar(select(User).where(User.email == email))
    stored = user.password_hash if user and user.disabled_at is None else None
    if not await passwords.matches(stored, password) or user is None:
        raise UnauthenticatedError("Email or password is wrong.", "Check both, then try again.")
    await throttle.forgive(email)
    return await open_for(user.id, audience, user_agent=user_agent, address=address)


async def open_for(
    user_id: UUID, audience: str, *, user_agent: str = "", address: str = ""
) -> Grant:
    """A session for somebody who has just proved who they are."""
    refresh_token = tokens.new(tokens.REFRESH_PREFIX)
    row = Session(
        id=uuid4(),
        user_id=user_id,
        expires_at=clock.now() + LIFETIME,
        user_agent=_printable(user_agent),
        address=address,
        refresh_hash=tokens.digest(refresh_token),
    )
    async with get_session() as session:
        session.add(row)
        user = await session.get_one(User, user_id)
    return _grant(row, user, audience, refresh_token)


async def refresh(refresh_token: str, audience: str) -> Grant:
    """New tokens for old: the one given never works again.

    Raises UnauthenticatedError; a spent token also ends its session.
    """
    spent, following = tokens.digest(refresh_token), tokens.new(tokens.REFRESH_PREFIX)
    moment = clock.now()
    async with get_session() as session:
        query = (
            select(Session, User)
            .join(User, User.id == Session.user_id)
            .where(Session.refresh_hash == spent, *_alive())
        )
        found = (await session.execute(query.with_for_update(of=Session))).one_or_none()
        if found is not None:
            row, user = found
            row.spent_hash, row.refresh_hash = spent, tokens.digest(following)
            row.expires_at = min(moment + LIFETIME, row.created_at + LONGEST)
            return _grant(row, user, audience, following)
    await _end_copied(spent)
    raise _expired()


async def authenticate(token: str, audience: str, typ: str = SESSION) -> Actor:
    """Who a signed token acts as. Raises UnauthenticatedError, also after signing out."""
    session_id, user_id = _named(token, audience, typ)
    return await _actor_of(Session.id == session_id, User.id == user_id)


def named(token: str, audience: str) -> UUID:
    """The session that a cookie's token names; whether it goes on, `resume` tells.

    Raises UnauthenticatedError for a token that was not signed here, or has expired.
    """
    return _named(token, audience, SESSION)[0]


async def resume(session_id: UUID) -> Actor:
    """Who acts in a session whose token was read before. Raises UnauthenticatedError."""
    return await _actor_of(Session.id == session_id)


async def issue_code(session_id: UUID) -> str:
    """A one-time code by which a page has a cookie set for a session opened on its behalf."""
    code = tokens.new(tokens.CODE_PREFIX)
    statement = update(Session).where(Session.id == session_id)
    async with get_session() as session:
        await session.execute(
            statement.values(
                code_hash=tokens.digest(code), code_expires_at=clock.now() + CODE_LIFETIME
            )
        )
    return code


async def exchange(code: str, audience: str) -> Grant:
    """The session of a one-time code. Raises UnauthenticatedError the second time."""
    following = tokens.new(tokens.REFRESH_PREFIX)
    async with get_session() as session:
        query = (
            select(Session, User)
            .join(User, User.id == Session.user_id)
            .where(
                Session.code_hash == tokens.digest(code),
                Session.code_expires_at > func.clock_timestamp(),
                *_alive(),
            )
        )
        found = (await session.execute(query.with_for_update(of=Session))).one_or_none()
        if found is None:
            raise _expired()
        row, user = found
        row.code_hash = row.code_expires_at = None
        row.refresh_hash = tokens.digest(following)
    return _grant(row, user, audience, following)


async def sign_out(token: str, audience: str, typ: str = SESSION) -> None:
    """End the session. Idempotent; an unreadable token is no session."""
    try:
        session_id, _ = _named(token, audience, typ)
    except UnauthenticatedError:
        return
    await end(session_id)


async def end(session_id: UUID) -> None:
    """Revoke one session. Idempotent."""
    async with get_session() as session:
        await _revoke(session, Session.id == session_id)


async def end_all(session: AsyncSession, user_id: UUID, keep: UUID | None = None) -> None:
    """Revoke a person's sessions, but for the one to keep."""
    await _revoke(session, Session.user_id == user_id, Session.id != (keep or UUID(int=0)))


async def list_own(actor: Actor) -> Page[SessionOut]:
    """Where the actor is signed in, newest first."""
    return await list_of(actor, actor.user_id)


async def list_of(actor: Actor, user_id: UUID | None) -> Page[SessionOut]:
    """Where a person is signed in, newest first; the caller has asked whether one may know."""
    query = select(Session).join(User).where(Session.user_id == user_id, *_alive())
    async with get_session() as session:
        rows = list(await session.scalars(query.order_by(Session.created_at.desc())))
    return Page(
        items=tuple(
            SessionOut(
                id=row.id,
                user_agent=row.user_agent or "",
                address=row.address or "",
                created_at=row.created_at,
                expires_at=row.expires_at,
                current=row.id == actor.session_id,
            )
            for row in rows
        )
    )


async def end_own(actor: Actor) -> None:
    """Sign the actor out everywhere."""
    if actor.user_id is not None:
        async with get_session() as session:
            await end_all(session, actor.user_id)


async def _actor_of(*which: Any) -> Actor:
    joined = select(User, Session.id).join(Session, Session.user_id == User.id)
    async with get_session() as session:
        found = (await session.execute(joined.where(*which, *_alive()))).one_or_none()
    if found is None:
        raise _expired()
    user, session_id = found
    return Actor(
        user.email,
        user_id=user.id,
        is_operator=user.is_operator,
        must_change_password=user.must_change_password,
        session_id=session_id,
    )


def _alive() -> tuple[Any, ...]:
    return (
        Session.revoked_at.is_(None),
        Session.expires_at > func.clock_timestamp(),
        User.disabled_at.is_(None),
    )


async def _revoke(session: AsyncSession, *which: Any) -> None:
    statement = update(Session).where(*which, Session.revoked_at.is_(None))
    await session.execute(statement.values(revoked_at=func.clock_timestamp()))


async def _end_copied(spent: bytes) -> None:
    async with get_session() as session:
        copied = await session.scalar(select(Session.id).where(Session.spent_hash == spent))
        if copied is not None:
            log.warning("session.copied", session_id=str(copied))
            await _revoke(session, Session.id == copied)


def _grant(row: Session, user: User, audience: str, refresh_token: str) -> Grant:
    moment = clock.now()
    return Grant(
        session_id=row.id,
        access_token=_signed(row, audience, ACCESS, moment, moment + ACCESS_LIFETIME),
        refresh_token=refresh_token,
        cookie=_signed(row, audience, SESSION, moment, row.expires_at),
        expires_in_s=int(ACCESS_LIFETIME.total_seconds()),
        must_change_password=user.must_change_password,
    )


def _signed(row: Session, audience: str, typ: str, issued: datetime, expires: datetime) -> str:
    claims = {
        "sub": str(row.user_id),
        "jti": str(row.id),
        "aud": audience,
        "typ": typ,
        "iat": issued,
        "exp": expires,
    }
    return tokens.sign(claims, _keys()[0])


def _named(token: str, audience: str, typ: str) -> tuple[UUID, UUID]:
    """The session and the person that a token names."""
    claims = tokens.read(token, _keys(), audience=audience, typ=typ)
    try:
        if claims is not None:
            return UUID(claims["jti"]), UUID(claims["sub"])
    except ValueError:
        pass
    raise _expired()


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError("The session is unknown or has ended.", "Sign in again.")


def _printable(text: str) -> str:
    return "".join(char for char in text[:200] if char.isprintable())


def _keys() -> list[str]:
    if not settings.jwt_keys:
        raise StackError(
            "No key to sign sessions with is configured.",
            "Run `etlfabric up`, or set ETLFABRIC_JWT_KEYS.",
        )
    return [key.get_secret_value() for key in settings.jwt_keys]
