"""A forgotten password: a letter whose link sets another, once."""

from __future__ import annotations

from datetime import timedelta

from limits import RateLimitItemPerHour
from sqlalchemy import func, select, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import GoneError
from etlfabric_dagster.models import PasswordReset, User
from etlfabric_dagster.security import tokens
from etlfabric_dagster.services import audit, letters, mail, throttle, users
from etlfabric_dagster.services.scope import Actor

RESET_LIFETIME = timedelta(minutes=30)
RESETS_PER_PERSON = RateLimitItemPerHour(5, namespace="reset")
RESETS_PER_ADDRESS = RateLimitItemPerHour(30, namespace="reset_from")


async def check_reset(email: str, address: str = "") -> None:
    """Count a request for a reset, whoever it names. Raises RateLimitedError."""
    remedy = "Look for the letter you were sent."
    await throttle.take(RESETS_PER_PERSON, email.strip().lower()[:254], "requests", remedy)
    if address:
        await throttle.take(RESETS_PER_ADDRESS, address, "requests", remedy)


async def send_reset(email: str) -> None:
    """Send a letter by which the person sets a new password; nothing for an unknown address.

    The caller answers before this ends, so that its time tells nothing.
    """
    token = tokens.new(tokens.RESET_PREFIX)
    async with get_session() as session:
        user = await users.find(session, email.strip().lower())
        if user is None or user.disabled_at is not None:
            return
        row = PasswordReset(
            user_id=user.id,
            token_hash=tokens.digest(token),
            expires_at=clock.now() + RESET_LIFETIME,
        )
        session.add(row)
    await mail.try_to_send(user.email, *letters.password_reset(mail.link(f"reset/{token}")))


async def reset_password(token: str, password: str, *, address: str | None = None) -> None:
    """Set the password of who was sent the token; all their sessions and other letters end.

    Raises GoneError for a token that is unknown, used or expired, InvalidInputError.
    """
    query = select(PasswordReset).where(PasswordReset.token_hash == tokens.digest(token))
    works = PasswordReset.used_at.is_(None), PasswordReset.expires_at > func.clock_timestamp()
    async with get_session() as session:
        found = await session.scalar(query.where(*works))
        user = await session.get(User, found.user_id) if found else None
    if found is None or user is None:
        raise _gone()
    hashed = await users.new_hash(password, user.email)
    async with get_session() as session:
        locked = await session.scalar(query.where(*works).with_for_update())
        if locked is None:
            raise _gone()
        others = update(PasswordReset).where(PasswordReset.user_id == user.id, works[0])
        await session.execute(others.values(used_at=func.clock_timestamp()))
        person = await session.get_one(User, user.id)
        person.email_verified_at = person.email_verified_at or clock.now()  # the letter proves it
        await users.store_password(session, person, hashed)
        actor = Actor(user.email, user_id=user.id, via="api", address=address)
        await audit.write(session, actor, "users.password", f"users/{user.email}")
    await throttle.forgive(user.email)
    await mail.try_to_send(user.email, *letters.password_changed())


def _gone() -> GoneError:
    return GoneError("This link has expired or was used.", "Request a new one.")
