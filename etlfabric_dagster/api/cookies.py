"""The browser's cookie: out of reach for scripts, never sent along by other sites."""

from __future__ import annotations

from fastapi import Request, Response

from etlfabric_dagster.api.deps import COOKIE
from etlfabric_dagster.schemas.people import Grant
from etlfabric_dagster.services.sessions import LIFETIME


def set_cookie(request: Request, response: Response, grant: Grant) -> None:
    """A new value at every sign-in: one planted before is worth nothing."""
    response.set_cookie(
        COOKIE,
        grant.cookie,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
