"""The HTTP API beside Reflex on one port, and what of a request Reflex may keep.

Reflex stores the headers of a socket's handshake with the page's state, in Redis, and sends them to
the page. The session's token is no part of either: it is read here, once, and what goes on in its
place is the session's id, which opens nothing by itself (ADR 19).
"""

from __future__ import annotations

from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Receive, Scope, Send

from etlfabric_dagster.api.app import PREFIX, create_app
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.services import sessions
from etlfabric_ui.state.guards import AUDIENCE, COOKIE

_OF_THE_API = (f"{PREFIX}/", "/healthz", "/readyz", "/metrics")


def with_api(panel: ASGIApp) -> ASGIApp:
    """An application that sends the API's paths to the API, and all else to the panel.

    Not a mount: Reflex would put its own CORS around the API's.
    """
    api = create_app()

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        ours = scope["type"] == "http" and scope["path"].startswith(_OF_THE_API)
        if ours:
            await api(scope, receive, send)
        else:
            await panel(without_token(scope), receive, send)

    return route


def without_token(scope: Scope) -> Scope:
    """The scope with the session's id in the cookie's place; no cookie when it names none."""
    if scope["type"] not in ("http", "websocket"):
        return scope
    headers = [
        (name, _redacted(value.decode("latin-1")).encode("latin-1") if name == b"cookie" else value)
        for name, value in scope["headers"]
    ]
    return {**scope, "headers": headers}


def _redacted(header: str) -> str:
    jar = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return ""
    kept = {name: one.coded_value for name, one in jar.items() if name != COOKIE}
    if COOKIE in jar:
        with suppress(FabricError):  # forged, expired, or an id that somebody sent by hand
            kept[COOKIE] = str(sessions.named(jar[COOKIE].value, AUDIENCE))
    return "; ".join(f"{name}={value}" for name, value in kept.items())
