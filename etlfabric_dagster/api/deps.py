"""What routes ask for. A route that needs…

- who asks:            `actor: CurrentActor` (401 without credentials)
- a row of an org:     `scope: Scoped`: a transaction inside `/orgs/{slug}`, which commits before
                       the answer leaves; 404 for an unknown and for a foreign org
- a page of a list:    `page: PageQuery`, then answers a `Page[...]`
- slow or outside work (check, discover, preview): takes `actor: CurrentActor, slug: Slug` and calls
  the service that opens its own short transactions; never hold a `Scoped` while waiting

Rights are asked for in services (`scope.require("connections.create")`), never here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from limits import RateLimitItemPerMinute

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import PermissionDeniedError, UnauthenticatedError
from etlfabric_dagster.security.tokens import API_PREFIX
from etlfabric_dagster.services import sessions, throttle, tokens
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

COOKIE = "etlfabric"
AUDIENCE = "api"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAGE, MAX_PAGE = 50, 200


async def current_actor(request: Request) -> Actor:
    """Who asks, by bearer token or cookie. Raises UnauthenticatedError, PermissionDeniedError."""
    if not hasattr(request.state, "actor"):
        try:
            found = await _authenticate(request)
        except UnauthenticatedError:
            await limit_rate(f"address:{client_address(request)}")
            raise
        await limit_rate(f"user:{found.user_id}")
        request.state.actor = replace(found, via="api", address=client_address(request))
    return request.state.actor


async def limit_rate(who: str) -> None:
    """Count a request. Raises RateLimitedError."""
    if settings.rate_limit_per_minute:
        item = RateLimitItemPerMinute(settings.rate_limit_per_minute, namespace="requests")
        await throttle.take(item, who, "requests", "Send fewer, or ask the operator for more.")


async def anybody(request: Request) -> None:
    """For routes that need nobody: they are counted by address."""
    await limit_rate(f"address:{client_address(request)}")


CurrentActor = Annotated[Actor, Depends(current_actor)]
Slug = Annotated[str, Path(description="The org's slug.", max_length=60)]


async def open_scope(actor: CurrentActor, slug: Slug) -> AsyncIterator[OrgScope]:
    """A transaction inside the path's org; see `Scoped`."""
    async with org_scope(actor, slug) as scope:
        yield scope


Scoped = Annotated[OrgScope, Depends(open_scope, scope="function")]
"""`scope="function"`: the commit happens before the answer, so that the answer is true."""


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list."""

    cursor: Annotated[
        str | None, Query(description="`next` of the page before.", max_length=500)
    ] = None
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items per page.")] = PAGE


PageQuery = Annotated[PageRequest, Depends()]


def client_address(request: Request) -> str | None:
    """Where the request came from; a proxy is believed only when the settings trust it."""
    return request.client.host if request.client else None


async def _authenticate(request: Request) -> Actor:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        bearer = bearer.strip()
        if bearer.startswith(API_PREFIX):
            return await tokens.authenticate(bearer)
        return await sessions.authenticate(bearer, AUDIENCE, sessions.ACCESS)
    if cookie := request.cookies.get(COOKIE):
        require_own_origin(request)
        return await sessions.authenticate(cookie, AUDIENCE)
    raise UnauthenticatedError(
        "The request names nobody.",
        "Sign in at /api/v1/auth/login, or send `Authorization: Bearer` with an API token.",
    )


def require_own_origin(request: Request) -> None:
    """A cookie travels with requests that other sites make: those may not change anything.

    Raises PermissionDeniedError.
    """
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin", "")
    host = request.headers.get("host")
    own = (f"http://{host}", f"https://{host}")
    if origin not in own and origin not in settings.allowed_origins:
        raise PermissionDeniedError(
            "The request comes from another site.",
            "Use the control panel's own address, or send a bearer token.",
            code="foreign_origin",
        )
