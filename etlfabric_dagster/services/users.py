"""People: register, sign up, change and reset passwords. Passwords are argon2id."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from uuid import UUID

from limits import RateLimitItemPerHour
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    FabricError,
    GoneError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import Membership, Org, PasswordReset, User
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import OrgStatus, UserOut
from etlfabric_dagster.schemas.people import Me, MyOrg, Role, SessionOut
from etlfabric_dagster.security import passwords, tokens
from etlfabric_dagster.services import (
    addresses,
    audit,
    letters,
    mail,
    orgs,
    paging,
    sessions,
    throttle,
)
from etlfabric_dagster.services.scope import Actor, require_operator, require_own_password

RESET_LIFETIME = timedelta(minutes=30)
MAX_NAME = 80
SIGN_UPS = RateLimitItemPerHour(20, namespace="sign_up")
RESETS_PER_PERSON = RateLimitItemPerHour(5, namespace="reset")
RESETS_PER_ADDRESS = RateLimitItemPerHour(30, namespace="reset_from")

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
        name=_checked_name(name),
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
        known = await _find(session, email)
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
    hashed = await new_hash(password, email, name)
    async with get_session() as session:
        if await session.scalar(select(Org.id).where(Org.slug == slug)):
            raise ConflictError(f"The slug '{slug}' is taken.", "Choose another slug.", org=slug)
        user = await add(session, email, name=name, password_hash=hashed)
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
        before, user.name = user.name, _checked_name(name)
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
    hashed = await new_hash(new, actor.label)
    async with get_session() as session:
        await _store_password(session, await _myself(session, actor), hashed, keep=actor.session_id)
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
    email = normalized(email)
    async with get_session() as session:
        user = await _myself(session, actor)
        if email == user.email:
            raise InvalidInputError("That is your address now.", "Give another.", field="email")
        if await _find(session, email):
            raise addresses.taken(email)
        if not mail.is_set_up():
            await addresses.take(session, actor, user, email, verified=False)
    if mail.is_set_up():
        await addresses.send_change(actor, email)
    else:
        await mail.try_to_send(actor.label, *letters.email_changed(email))
    return await me(actor)


async def set_password(email: str, password: str) -> None:
    """Set somebody's password of at least 12 characters; a one-time one expires with it."""
    hashed = await new_hash(password, email)
    async with get_session() as session:
        await _store_password(session, await _require(session, email), hashed)


async def one_time_password(actor: Actor, email: str) -> str:
    """A password that opens nothing but its own change, shown this once. Operators."""
    require_operator(actor, "reset passwords of others")
    password = secrets.token_urlsafe(12)
    hashed = await passwords.hashed(password)
    async with get_session() as session:
        user = await _require(session, email)
        await _store_password(session, user, hashed)
        user.must_change_password = True
        await audit.write(session, actor, "users.password", f"users/{user.email}")
    return password


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
        user = await _find(session, email.strip().lower())
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
    hashed = await new_hash(password, user.email)
    async with get_session() as session:
        locked = await session.scalar(query.where(*works).with_for_update())
        if locked is None:
            raise _gone()
        others = update(PasswordReset).where(PasswordReset.user_id == user.id, works[0])
        await session.execute(others.values(used_at=func.clock_timestamp()))
        person = await session.get_one(User, user.id)
        person.email_verified_at = person.email_verified_at or clock.now()  # the letter proves it
        await _store_password(session, person, hashed)
        actor = Actor(user.email, user_id=user.id, via="api", address=address)
        await audit.write(session, actor, "users.password", f"users/{user.email}")
    await throttle.forgive(user.email)
    await mail.try_to_send(user.email, *letters.password_changed())


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


async def _store_password(
    session: AsyncSession, user: User, hashed: str, keep: UUID | None = None
) -> None:
    user.password_hash, user.must_change_password = hashed, False
    await sessions.end_all(session, user.id, keep)


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


async def _require(session: AsyncSession, email: str) -> User:
    user = await _find(session, normalized(email))
    if user is None:
        raise NotFoundError(
            f"There is no user {email}.", f"Create it: etlfabric users create {email}"
        )
    return user


async def _find(session: AsyncSession, email: str) -> User | None:
    return await session.scalar(select(User).where(User.email == email))


def _checked_name(name: str) -> str | None:
    name = " ".join(name.split())
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInputError(
            "That cannot be a name.", f"Use up to {MAX_NAME} visible characters.", field="name"
        )
    return name or None


def _gone() -> GoneError:
    return GoneError("This link has expired or was used.", "Request a new one.")


def _out(user: User) -> UserOut:
    return UserOut.model_validate(user, from_attributes=True, extra="ignore")
