"""Signing up, in and out; passwords; the caller's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request, Response
from pydantic import Field, SecretStr

from etlfabric_dagster.api.cookies import drop_cookie, set_cookie
from etlfabric_dagster.api.deps import (
    AUDIENCE,
    CurrentActor,
    anybody,
    client_address,
    require_own_origin,
)
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.errors import UnauthenticatedError
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.base import Slug as SlugText
from etlfabric_dagster.schemas.people import Grant, Me, SessionOut
from etlfabric_dagster.services import accounts, addresses, resets, sessions

router = make_router("auth")

Public = [Depends(anybody)]
Text = Annotated[str, Field(max_length=400)]
Secret = Annotated[SecretStr, Field(max_length=1000)]


class SignUpIn(Value):
    """A new person with an org of their own."""

    name: Text = ""
    email: Text
    password: Secret
    org_name: Text
    slug: SlugText


class LoginIn(Value):
    """Who signs in."""

    email: Text
    password: Secret


class RefreshIn(Value):
    """The refresh token of the answer before."""

    refresh_token: Secret


class CodeIn(Value):
    """A one-time code of the control panel."""

    code: Secret


class EmailIn(Value):
    """Whose password is to be reset."""

    email: Text


class ResetIn(Value):
    """The token of the letter, and the new password."""

    token: Secret
    password: Secret


class VerifyIn(Value):
    """The token of the letter."""

    token: Secret


class PasswordIn(Value):
    """Own password, old and new."""

    current_password: Secret
    new_password: Secret


class AddressIn(Value):
    """Another address to sign in with, and the password as proof."""

    current_password: Secret
    email: Text


class MeIn(Value):
    """What a person may change about themself."""

    name: Text


class SignedIn(Value):
    """Tokens of a session; the session is also set as an HttpOnly cookie."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme, not a secret
    expires_in_s: int
    refresh_token: str
    must_change_password: bool


@router.post("/signup", status_code=201, dependencies=Public)
async def sign_up(
    request: Request, response: Response, later: BackgroundTasks, given: SignUpIn
) -> SignedIn:
    """Register with an org of one's own, and sign in. A letter asks to confirm the address."""
    user_id = await accounts.sign_up(
        name=given.name,
        email=given.email,
        password=given.password.get_secret_value(),
        org_name=given.org_name,
        slug=given.slug,
        address=client_address(request) or "",
    )
    later.add_task(addresses.send_verification, user_id)
    return _signed_in(
        request, response, await sessions.open_for(user_id, AUDIENCE, **_from(request))
    )


@router.post("/login", dependencies=Public)
async def login(request: Request, response: Response, given: LoginIn) -> SignedIn:
    """Sign in with email and password."""
    grant = await sessions.sign_in(
        given.email, given.password.get_secret_value(), AUDIENCE, **_from(request)
    )
    return _signed_in(request, response, grant)


@router.post("/refresh", dependencies=Public)
async def refresh(request: Request, response: Response, given: RefreshIn) -> SignedIn:
    """New tokens for old. A refresh token works once; used twice, its session ends."""
    grant = await sessions.refresh(given.refresh_token.get_secret_value(), AUDIENCE)
    return _signed_in(request, response, grant)


@router.post("/exchange", dependencies=Public)
async def exchange(request: Request, response: Response, given: CodeIn) -> SignedIn:
    """The cookie of a session that the control panel opened: a code works once, for a minute."""
    require_own_origin(request)
    grant = await sessions.exchange(given.code.get_secret_value(), AUDIENCE)
    return _signed_in(request, response, grant)


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, actor: CurrentActor) -> None:
    """End this session, at once, whatever holds its tokens."""
    if actor.session_id is None:
        raise UnauthenticatedError(
            "An API token has no session to end.", "Revoke the token instead."
        )
    await sessions.end(actor.session_id)
    drop_cookie(request, response)


@router.get("/me")
async def me(actor: CurrentActor) -> Me:
    """Who is signed in, and their orgs."""
    return await accounts.me(actor)


@router.patch("/me")
async def update_me(actor: CurrentActor, given: MeIn) -> Me:
    """Change one's own name."""
    return await accounts.rename(actor, given.name)


@router.post("/password", status_code=204)
async def change_password(actor: CurrentActor, given: PasswordIn) -> None:
    """Change one's own password; all other sessions are signed out."""
    await accounts.change_password(
        actor, given.current_password.get_secret_value(), given.new_password.get_secret_value()
    )


@router.post("/verify", status_code=204, dependencies=Public)
async def verify_email(request: Request, given: VerifyIn) -> None:
    """Confirm an address with the token of the letter that was sent to it."""
    await addresses.confirm(given.token.get_secret_value(), address=client_address(request))


@router.post("/verify/letter", status_code=202, response_class=Response)
async def send_verification(actor: CurrentActor, later: BackgroundTasks) -> None:
    """Send another letter to confirm one's own address."""
    later.add_task(addresses.send_verification, await addresses.check_letter(actor))


@router.post("/email")
async def change_email(actor: CurrentActor, given: AddressIn) -> Me:
    """Sign in with another address from now on; the old one is told. Where mail is set up, once the
    letter to the new one is opened: `new_email` until then.
    """
    return await accounts.change_email(
        actor, given.current_password.get_secret_value(), given.email
    )


@router.post("/forgot", status_code=202, response_class=Response, dependencies=Public)
async def forgot_password(request: Request, later: BackgroundTasks, given: EmailIn) -> None:
    """Send a letter to set a new password. The answer is the same for unknown addresses."""
    await resets.check_reset(given.email, client_address(request) or "")
    later.add_task(resets.send_reset, given.email)


@router.post("/reset", status_code=204, dependencies=Public)
async def reset_password(request: Request, given: ResetIn) -> None:
    """Set a new password with the token of the letter; all sessions are signed out."""
    token, password = given.token.get_secret_value(), given.password.get_secret_value()
    await resets.reset_password(token, password, address=client_address(request))


@router.get("/sessions")
async def list_sessions(actor: CurrentActor) -> Page[SessionOut]:
    """Where one is signed in."""
    return await sessions.list_own(actor)


@router.delete("/sessions", status_code=204)
async def end_sessions(request: Request, response: Response, actor: CurrentActor) -> None:
    """Sign oneself out everywhere."""
    await sessions.end_own(actor)
    drop_cookie(request, response)


def _from(request: Request) -> dict[str, str]:
    return {
        "user_agent": request.headers.get("user-agent", ""),
        "address": client_address(request) or "",
    }


def _signed_in(request: Request, response: Response, grant: Grant) -> SignedIn:
    set_cookie(request, response, grant)
    return SignedIn(
        access_token=grant.access_token,
        expires_in_s=grant.expires_in_s,
        refresh_token=grant.refresh_token,
        must_change_password=grant.must_change_password,
    )
