"""The panel's two servers: `python -m etlfabric_ui.server backend | static`.

The backend answers events and `/api/v1`; the static server hands out what `build` made, and tells
each browser where the backend is, so that one build serves any port and any host.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import uvicorn
from reflex.utils.precompressed_staticfiles import PrecompressedStaticFiles
from reflex_base.environment import environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etlfabric_dagster import collector, logs
from etlfabric_dagster.config import settings
from etlfabric_ui import routes
from etlfabric_ui.server import build

BUILT_FOR = "localhost:8000"
"""Backend address in the build (rxconfig)."""
CACHED = "public, max-age=31536000, immutable"
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; connect-src 'self' {api} {ws};"
    " frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


def main() -> None:
    """Serve until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    if sys.argv[1:] == ["backend"]:
        _serve(backend(), settings.api_port)
    elif sys.argv[1:] == ["static"]:
        build.main()
        _serve(static(), settings.ui_port)
    else:
        sys.exit("Name one of: backend, static.")


def backend() -> ASGIApp:
    """Events, uploads and the API. Compiles nothing."""
    environment.REFLEX_SKIP_COMPILE.set(True)
    home = settings.home_dir / "panel"
    home.mkdir(parents=True, exist_ok=True)
    environment.REFLEX_WEB_WORKDIR.set(home / "web")
    environment.REFLEX_STATES_WORKDIR.set(home / "states")
    environment.REFLEX_UPLOADED_FILES_DIR.set(home / "uploads")
    os.environ["REFLEX_DIR"] = str(home / "reflex")
    os.chdir(Path(__file__).parent)  # where Reflex finds rxconfig.py
    with collector.paused():
        from etlfabric_ui.app import app  # noqa: PLC0415 - reads what is set above

    return app()


def static() -> ASGIApp:
    """The built files; a path of the panel is answered by its page."""
    files = _Pages(directory=build.STATIC, html=True, encodings=["gzip"], router=page_of)
    return Starlette(
        routes=[
            Route("/healthz", lambda _: Response("ok")),
            Route("/panel-config.js", _config),
            Route("/assets/{name:path}", _asset),
            Mount("/", app=_Headers(files)),
        ]
    )


def page_of(path: str) -> str | None:
    """The route that a path of the browser's bar belongs to."""
    parts = path.strip("/").split("/")
    for route in routes.WITH_PARTS:
        wanted = route.strip("/").split("/")
        if wanted[-1].startswith("[["):  # any number of parts, or one part at most
            most = None if wanted[-1].startswith("[[...") else len(wanted)
            wanted = [*wanted[:-1], *("[]" for _ in parts[len(wanted) - 1 : most])]
        if len(wanted) == len(parts) and all(
            want.startswith("[") or want == part for want, part in zip(wanted, parts, strict=True)
        ):
            return route
    return None


def api_of(request: Request) -> str:
    """The backend's address as this browser reaches it: the same host, the API's port."""
    if settings.public_api_url:
        return settings.public_api_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.hostname}:{settings.api_port}"


def _config(request: Request) -> Response:
    body = f"window.etlfabric={json.dumps({'api': api_of(request)})};"
    return Response(body, media_type="text/javascript", headers={"cache-control": "no-cache"})


async def _asset(request: Request) -> Response:
    """A built chunk: for ever, but for the one that names the backend."""
    name = request.path_params["name"]
    if re.match(r"reflex-env-[\w-]+\.js$", name):
        api = api_of(request)
        code = (build.STATIC / "assets" / name).read_text()
        for scheme, own in (("http", api), ("ws", re.sub("^http", "ws", api))):
            code = code.replace(f"{scheme}://{BUILT_FOR}", own)
        headers = {"cache-control": "no-cache"}
        return Response(code, media_type="text/javascript", headers=headers)
    response = await _ASSETS.get_response(f"assets/{name}", request.scope)
    response.headers["cache-control"] = CACHED
    return response


class _Pages(PrecompressedStaticFiles):
    """`/login` is answered by login.html, not sent on to `/login/`."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        page = f"{path.strip('/')}.html"
        found, _ = self.lookup_path(page)
        return await super().get_response(page if found else path, scope)


class _Headers:
    """Pages may load from here and from the API only, and stand in nobody's frame."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        api = api_of(Request(scope))
        policy = CSP.format(api=api, ws=re.sub("^http", "ws", api)).encode()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"content-security-policy", policy),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        await self._app(scope, receive, answer)


_ASSETS = PrecompressedStaticFiles(directory=build.STATIC, check_dir=False, encodings=["gzip"])


def _serve(app: ASGIApp, port: int) -> None:
    uvicorn.run(
        app,
        host=settings.bind_host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
