"""Signed-in browsers: a signed token in a cookie, a row that ends it.

The token (HS256, two-key ring) names the session's row; deleting or revoking the row signs out.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import jwt
from sqlalchemy import func, select, update

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import StackError, UnauthenticatedError
from etlfabric_dagster.models import Session, User
from etlfabric_dagster.services import throttle, users
from etlfabric_dagster.services.scope import Actor

LIFETIME = timedelta(hours=12)
ALGORITHM = "HS256"
REQUIRED = ["exp", "iat", "jti", "aud", "sub", "typ"]


async def sign_in(
    email: str, password: str, audience: str, *, user_agent: str = "", address: str = ""
) -> str:
    """A token for a browser.

    Raises: UnauthenticatedError for a wrong pair or nobody of that name, RateLimitedError after
        too many tries.
    """
    await throttle.count_sign_in(email, address)
    actor = await users.authenticate_password(email, password)
    await throttle.forgive(email)
    row = Session(
        id=uuid4(),
        user_id=actor.user_id,
        expires_at=clock.now() + LIFETIME,
        user_agent=user_agent[:200],
        address=address,
    )
    async with get_session() as session:
        session.add(row)
    claims = {
        "sub": str(actor.user_id),
        "jti": str(row.id),
        "aud": audience,
        "typ": "session",
        "iat": clock.now(),
        "exp": row.expires_at,
    }
    return jwt.encode(claims, _signing_key(), algorithm=ALGORITHM)


async def authenticate(token: str, audience: str) -> Actor:
    """Who a session's token acts as. Raises UnauthenticatedError, also after signing out."""
    query = (
        select(User)
        .join(Session, Session.user_id == User.id)
        .where(
            Session.id == _session_id(token, audience),
            Session.revoked_at.is_(None),
            Session.expires_at > func.clock_timestamp(),
            User.disabled_at.is_(None),
        )
    )
    async with get_session() as session:
        user = await session.scalar(query)
    if user is None:
        raise _expired()
    return Actor(user.email, user_id=user.id, is_operator=user.is_operator)


async def sign_out(token: str, audience: str) -> None:
    """End the session. Idempotent; an unreadable token is no session."""
    try:
        session_id = _session_id(token, audience)
    except UnauthenticatedError:
        return
    statement = update(Session).where(Session.id == session_id, Session.revoked_at.is_(None))
    async with get_session() as session:
        await session.execute(statement.values(revoked_at=func.clock_timestamp()))


def _session_id(token: str, audience: str) -> UUID:
    for key in settings.jwt_keys:
        try:
            claims = jwt.decode(
                token,
                key.get_secret_value(),
                algorithms=[ALGORITHM],
                audience=audience,
                options={"require": REQUIRED},
            )
            if claims["typ"] == "session":
                return UUID(claims["jti"])
        except (jwt.InvalidTokenError, ValueError):
            continue
    raise _expired()


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError("The session is unknown or has ended.", "Sign in again.")


def _signing_key() -> str:
    if not settings.jwt_keys:
        raise StackError(
            "No key to sign sessions with is configured.",
            "Run `etlfabric up`, or set ETLFABRIC_JWT_KEYS.",
        )
    return settings.jwt_keys[0].get_secret_value()
