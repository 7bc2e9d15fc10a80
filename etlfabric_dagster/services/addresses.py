"""Whose an email address is: proved by a letter to it, at sign-up and for every new address.

Who has not proved theirs may work; they may not have this install write to others
(docs/adr/0021-unverified-people-work.md).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from limits import RateLimitItemPerHour
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    GoneError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import EmailClaim, PasswordReset, User
from etlfabric_dagster.security import tokens
from etlfabric_dagster.services import audit, letters, mail, throttle
from etlfabric_dagster.services.scope import Actor, require_own_password

LIFETIME = timedelta(days=2)
LETTERS = RateLimitItemPerHour(5, namespace="email_claims")


async def require_verified(session: AsyncSession, actor: Actor) -> None:
    """Before this install writes to somebody on the actor's behalf.

    Asked of people while mail leaves this machine, never of operators. Raises
    PermissionDeniedError.
    """
    if not mail.is_set_up() or actor.is_operator or actor.user_id is None:
        return
    verified = select(User.email_verified_at).where(User.id == actor.user_id)
    if await session.scalar(verified) is None:
        raise PermissionDeniedError(
            f"{actor.label} is not verified: nobody has shown yet that it is your address.",
            "Open the link of the letter you were sent, or have another one sent.",
            code="email_unverified",
        )


async def check_letter(actor: Actor) -> UUID:
    """Count a wish for a letter; whose it is. Raises RateLimitedError, UnauthenticatedError."""
    require_own_password(actor)
    if actor.user_id is None:
        raise UnauthenticatedError("Nobody is signed in.", "Sign in first.")
    await throttle.take(LETTERS, str(actor.user_id), "letters", "Look for the one you were sent.")
    return actor.user_id


async def send_verification(user_id: UUID) -> None:
    """Send the letter that proves a person's own address; nothing when it is proved."""
    async with get_session() as session:
        user = await session.get(User, user_id)
        if user is None or user.email_verified_at is not None:
            return
        token = await _claim(session, user.id, user.email)
    await mail.try_to_send(user.email, *letters.verification(mail.link(f"verify/{token}")))


async def send_change(actor: Actor, email: str) -> None:
    """Write to an address that shall become the actor's.

    Raises RateLimitedError, StackError when the letter cannot be sent.
    """
    user_id = await check_letter(actor)
    async with get_session() as session:
        token = await _claim(session, user_id, email)
    await mail.send(email, *letters.new_address(mail.link(f"verify/{token}")))


async def waiting(session: AsyncSession, user: User) -> str | None:
    """The address that becomes theirs once its letter is opened."""
    query = select(EmailClaim.email).where(
        EmailClaim.user_id == user.id, EmailClaim.email != user.email, *_works()
    )
    return await session.scalar(query.order_by(EmailClaim.created_at.desc()).limit(1))


async def confirm(token: str, *, address: str | None = None) -> None:
    """Take a letter's token as proof: the address is theirs, and the one they sign in with.

    Raises GoneError for a token that is unknown, used or expired; ConflictError when somebody
    has taken the address meanwhile.
    """
    query = (
        select(EmailClaim, User)
        .join(User, User.id == EmailClaim.user_id)
        .where(EmailClaim.token_hash == tokens.digest(token), User.disabled_at.is_(None), *_works())
    )
    async with get_session() as session:
        found = (await session.execute(query.with_for_update())).one_or_none()
        if found is None:
            raise GoneError("This link has expired or was used.", "Have another letter sent.")
        claim, user = found
        before = user.email
        actor = Actor(user.email, user_id=user.id, via="api", address=address)
        await take(session, actor, user, claim.email, verified=True)
    if before != claim.email:
        await mail.try_to_send(before, *letters.email_changed(claim.email))


async def take(
    session: AsyncSession, actor: Actor, user: User, email: str, *, verified: bool
) -> None:
    """Make an address theirs; letters to the one before prove nothing any more.

    Raises ConflictError when it is somebody else's.
    """
    before = {"email": user.email, "verified": user.email_verified_at is not None}
    moment = clock.now()
    try:
        async with session.begin_nested():
            user.email, user.email_verified_at = email, moment if verified else None
    except IntegrityError as exc:
        raise taken(email) from exc
    for model in (EmailClaim, PasswordReset):
        theirs = update(model).where(model.user_id == user.id, model.used_at.is_(None))
        await session.execute(theirs.values(used_at=moment))
    after = {"email": email, "verified": verified}
    await audit.write(
        session, actor, "users.update", f"users/{user.id}", before=before, after=after
    )


def taken(email: str) -> ConflictError:
    """How an address reads that somebody signs in with."""
    return ConflictError(f"There is already a user {email}.", "Use another address.", field="email")


async def _claim(session: AsyncSession, user_id: UUID, email: str) -> str:
    token = tokens.new(tokens.CLAIM_PREFIX)
    row = EmailClaim(
        user_id=user_id,
        email=email,
        token_hash=tokens.digest(token),
        expires_at=clock.now() + LIFETIME,
    )
    session.add(row)
    await session.flush()
    return token


def _works() -> tuple[Any, ...]:
    return EmailClaim.used_at.is_(None), EmailClaim.expires_at > func.clock_timestamp()
