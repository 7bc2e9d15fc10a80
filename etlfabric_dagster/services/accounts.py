"""One's own account: sign up, name, password and address."""

from __future__ import annotations

from uuid import UUID

from limits import RateLimitItemPerHour
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    FabricError,
    InvalidInputError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import Membership, Org, User
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.people import Me, MyOrg, Role
from etlfabric_dagster.security import passwords
from etlfabric_dagster.services import addresses, audit, letters, mail, orgs, throttle, users
from etlfabric_dagster.services.scope import Actor, require_own_password

SIGN_UPS = RateLimitItemPerHour(20, namespace="sign_up")


async def sign_up(
    *, name: str, email: str, password: str, org_name: str, slug: str, address: str = ""
) -> UUID:
    """Register oneself with an org of one's own.

    Raises:
        PermissionDeniedError: this install takes nobody.
        ConflictError: the address has an account, or the slug is taken.
        InvalidInputError: a field; `where["field"]` names it.
        RateLimitedError: too many from this address.
    """
    if not settings.signup:
        raise PermissionDeniedError(
            "This install takes no sign-ups.",
            "Ask its operator for an invitation.",
            code="signup_closed",
        )
    if address:
        await throttle.take(SIGN_UPS, address, "sign-ups", "Go on later.")
    orgs.check_slug(slug)
    orgs.checked_name(org_name)
    hashed = await users.new_hash(password, email, name)
    async with get_session() as session:
        if await session.scalar(select(Org.id).where(Org.slug == slug)):
            raise ConflictError(f"The slug '{slug}' is taken.", "Choose another slug.", org=slug)
        user = await users.add(session, email, name=name, password_hash=hashed)
        actor = Actor(user.email, user_id=user.id, via="api", address=address or None)
        await audit.write(session, actor, "users.create", f"users/{user.email}")
    try:
        await orgs.create(actor, slug, org_name)
    except FabricError:  # somebody took the slug meanwhile: as if nothing had happened
        async with get_session() as session:
            await session.delete(await session.get_one(User, user.id))
        raise
    return user.id


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
        user = await _myself(session, actor)
        rows = await session.execute(query)
        found = [MyOrg(slug=slug, name=name, role=Role(role)) for slug, name, role in rows]
        return Me(
            id=user.id,
            email=user.email,
            email_verified=user.email_verified_at is not None,
            new_email=await addresses.waiting(session, user),
            name=user.name,
            is_operator=actor.is_operator,
            must_change_password=actor.must_change_password,
            orgs=tuple(found),
        )


async def rename(actor: Actor, name: str) -> Me:
    """Change one's own name. Raises InvalidInputError."""
    _require_unlimited(actor)
    async with get_session() as session:
        user = await _myself(session, actor)
        before, user.name = user.name, users.checked_name(name)
        facts = {"name": before}, {"name": user.name}
        target = f"users/{user.id}"
        await audit.write(session, actor, "users.update", target, before=facts[0], after=facts[1])
    return await me(actor)


async def change_password(actor: Actor, current: str, new: str) -> None:
    """Set one's own password; all other sessions are signed out.

    Raises UnauthenticatedError for a wrong current one, InvalidInputError for the new.
    """
    _require_unlimited(actor)
    await _check_password(actor, current)
    if new == current:
        raise InvalidInputError(
            "The new password is the old one.", "Choose another.", field="new_password"
        )
    hashed = await users.new_hash(new, actor.label)
    async with get_session() as session:
        await users.store_password(
            session, await _myself(session, actor), hashed, keep=actor.session_id
        )
        await audit.write(session, actor, "users.password", f"users/{actor.label}")
    await mail.try_to_send(actor.label, *letters.password_changed())


async def change_email(actor: Actor, password: str, email: str) -> Me:
    """Sign in with another address from now on. The old one is told.

    Where mail is set up the address changes when the letter to it is opened; until then `new_email`
    names it. Raises PermissionDeniedError for a wrong password, ConflictError for a known address,
    InvalidInputError, RateLimitedError, and StackError when the letter cannot be sent.
    """
    _require_unlimited(actor)
    require_own_password(actor)
    await _check_password(actor, password)
    email = users.normalized(email)
    async with get_session() as session:
        user = await _myself(session, actor)
        if email == user.email:
            raise InvalidInputError("That is your address now.", "Give another.", field="email")
        if await users.find(session, email):
            raise addresses.taken(email)
        if not mail.is_set_up():
            await addresses.take(session, actor, user, email, verified=False)
    if mail.is_set_up():
        await addresses.send_change(actor, email)
    else:
        await mail.try_to_send(actor.label, *letters.email_changed(email))
    return await me(actor)


async def _check_password(actor: Actor, password: str) -> None:
    """Raises PermissionDeniedError; tries are counted as sign-ins are."""
    await throttle.count_sign_in(actor.label, "")
    async with get_session() as session:
        stored = (await _myself(session, actor)).password_hash
    if not await passwords.matches(stored, password):
        raise PermissionDeniedError(
            "The current password is wrong.", "Type it again, or reset it.", code="wrong_password"
        )
    await throttle.forgive(actor.label)


async def _myself(session: AsyncSession, actor: Actor) -> User:
    user = await session.get(User, actor.user_id) if actor.user_id else None
    if user is None:
        raise UnauthenticatedError("Nobody is signed in.", "Sign in first.")
    return user


def _require_unlimited(actor: Actor) -> None:
    if actor.limits is not None:
        raise PermissionDeniedError(
            "A limited token does not change its owner's account.", "Sign in, then do it."
        )
