"""Signing in and out."""

from __future__ import annotations

from fastapi import Request, Response
from pydantic import SecretStr

from etlfabric_dagster.api.deps import AUDIENCE, COOKIE, CurrentActor, client_address
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.people import Me
from etlfabric_dagster.services import sessions, users

router = make_router("auth")


class LoginIn(Value):
    """Who signs in."""

    email: str
    password: SecretStr


class SignedIn(Value):
    """An access token; the same is set as an HttpOnly cookie."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme, not a secret
    expires_in_s: int


@router.post("/login")
async def login(request: Request, response: Response, given: LoginIn) -> SignedIn:
    """Sign in with email and password."""
    token = await sessions.sign_in(
        given.email,
        given.password.get_secret_value(),
        AUDIENCE,
        user_agent=request.headers.get("user-agent", ""),
        address=client_address(request) or "",
    )
    seconds = int(sessions.LIFETIME.total_seconds())
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SignedIn(access_token=token, expires_in_s=seconds)


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, _actor: CurrentActor) -> None:
    """End this session, at once and everywhere its tokens are."""
    _, _, bearer = request.headers.get("authorization", "").partition(" ")
    await sessions.sign_out(bearer.strip() or request.cookies.get(COOKIE, ""), AUDIENCE)
    response.delete_cookie(COOKIE)


@router.get("/me")
async def me(actor: CurrentActor) -> Me:
    """Who is signed in, and their orgs."""
    return await users.me(actor)
