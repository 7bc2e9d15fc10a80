"""The door of Dagster's webserver, which has no login of its own: operators only.

An ASGI application around another: every HTTP request and every websocket passes it. A bearer
token (API token) or a cookie set by the form at /login opens it.
"""

from __future__ import annotations

import html
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.responses import RedirectResponse as Redirect
from starlette.types import ASGIApp, Receive, Scope, Send

from etlfabric_dagster.errors import (
    FabricError,
    PermissionDeniedError,
    RateLimitedError,
    UnauthenticatedError,
)
from etlfabric_dagster.services import sessions, tokens
from etlfabric_dagster.services.scope import Actor, require_own_password

COOKIE = "etlfabric_dagster"
AUDIENCE = "dagster"
LOGIN, LOGOUT, HEALTH = "/login", "/logout", "/healthz"
MAX_FORM_BYTES = 4096
ONE_TIME = "That is your one-time password. Set your own in the control panel, then sign in here."
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>ETL Fabric · Dagster</title>
<style>body{{font:16px system-ui;display:grid;place-items:center;min-height:90vh;
background:#f6f7f9}}
form{{background:#fff;padding:32px;border-radius:12px;width:320px;box-shadow:0 1px 4px #0002}}
input,button{{display:block;width:100%;box-sizing:border-box;padding:10px;margin:6px 0 16px;
font:inherit;border:1px solid #ccd;border-radius:8px}}button{{background:#1f4ed8;color:#fff}}
p[role=alert]{{color:#b00020}}</style></head><body><form method="post" action="{action}">
<h1>Dagster</h1><p>For operators of this install.</p>{alert}
<label>Email<input name="email" type="email" autocomplete="username" required autofocus></label>
<label>Password<input name="password" type="password" autocomplete="current-password"
required></label><button>Sign in</button></form></body></html>"""


class OperatorGuard:
    """Lets operators through to `app`; everybody else sees a form, 401 or 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await _own_page(request)
        if answer is None:
            try:
                await _operator(request)
            except FabricError as exc:
                answer = _refusal(request, exc)
        await (answer or self._app)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _operator(HTTPConnection(scope))
        except FabricError:
            await receive()  # the handshake; closing before accepting answers it with 403
            await send({"type": "websocket.close", "code": 4401})
            return
        await self._app(scope, receive, send)


async def _operator(conn: HTTPConnection) -> Actor:
    """Raises UnauthenticatedError or PermissionDeniedError."""
    scheme, _, bearer = conn.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = await tokens.authenticate(bearer.strip())
    elif cookie := conn.cookies.get(COOKIE):
        actor = await sessions.authenticate(cookie, AUDIENCE)
        _require_own_origin(conn)
    else:
        raise UnauthenticatedError(
            "Dagster's webserver is for this install's operators.",
            "Sign in, or send `Authorization: Bearer` with a token of"
            " `etlfabric users token EMAIL`.",
        )
    require_own_password(actor)
    if not actor.is_operator:
        raise PermissionDeniedError(
            f"{actor.label} is not an operator of this install.", "Ask an operator."
        )
    return actor


def _require_own_origin(conn: HTTPConnection) -> None:
    """A cookie travels with requests that other sites make: they must not change or read."""
    if conn.scope["type"] == "http" and conn.scope["method"] in SAFE_METHODS:
        return
    if not _same_origin(conn.headers):
        raise PermissionDeniedError(
            "The request comes from another site.", "Open Dagster from its own address."
        )


def _same_origin(headers: Headers) -> bool:
    return bool(headers.get("host")) and urlsplit(headers.get("origin", "")).netloc == headers.get(
        "host"
    )


async def _own_page(request: Request) -> Response | None:
    path = request.scope["path"]
    if path == HEALTH:
        return PlainTextResponse("ok")
    if path == LOGIN:
        return await _sign_in(request) if request.method == "POST" else _form(request)
    if path == LOGOUT and request.method == "POST":
        await sessions.sign_out(request.cookies.get(COOKIE, ""), AUDIENCE)
        gone = Redirect(LOGIN, 303)
        gone.delete_cookie(COOKIE)
        return gone
    return None


async def _sign_in(request: Request) -> Response:
    if not _same_origin(request.headers):
        return PlainTextResponse("The request comes from another site.", 403)
    fields = parse_qs(await _body(request))
    email, password = (fields.get(name, [""])[0] for name in ("email", "password"))
    try:
        grant = await sessions.sign_in(
            email,
            password,
            AUDIENCE,
            user_agent=request.headers.get("user-agent", ""),
            address=request.client.host if request.client else "",
        )
    except UnauthenticatedError as exc:
        return _form(request, exc.message, 401)
    except RateLimitedError as exc:
        refused = _form(request, f"{exc.message} {exc.remedy}", 429)
        refused.headers["retry-after"] = str(exc.where["retry_after_s"])
        return refused
    if grant.must_change_password:
        await sessions.end(grant.session_id)
        return _form(request, ONE_TIME, 403)
    answer = Redirect(_next(request), 303)
    answer.set_cookie(
        COOKIE,
        grant.cookie,
        max_age=int(sessions.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


async def _body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return ""
    return body.decode(errors="replace")


def _form(request: Request, alert: str = "", status: int = 200) -> Response:
    action = f"{LOGIN}?next={quote(_next(request))}"
    shown = f'<p role="alert">{html.escape(alert)}</p>' if alert else ""
    page = _PAGE.format(action=html.escape(action), alert=shown)
    headers = {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline';"
        " form-action 'self'; frame-ancestors 'none'",
    }
    return HTMLResponse(page, status, headers)


def _next(request: Request) -> str:
    """Where to go after signing in: a path of this site, whatever the link says."""
    wanted = request.query_params.get("next", "/")
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_path and "\r" not in wanted and "\n" not in wanted else "/"


def _refusal(request: Request, error: FabricError) -> Response:
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if isinstance(error, UnauthenticatedError):
        if wants_page:
            return Redirect(f"{LOGIN}?next={quote(request.scope['path'])}", 303)
        headers = {"www-authenticate": "Bearer"}
        return JSONResponse({"error": error.as_dict()}, 401, headers)
    return JSONResponse({"error": error.as_dict()}, 403)
