"""The HTTP API beside Reflex on one port."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from etlfabric_dagster.api.app import PREFIX, create_app

_OF_THE_API = (f"{PREFIX}/", "/healthz", "/readyz", "/metrics")


def with_api(panel: ASGIApp) -> ASGIApp:
    """An application that sends the API's paths to the API, and all else to the panel.

    Not a mount: Reflex would put its own CORS around the API's.
    """
    api = create_app()

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        ours = scope["type"] == "http" and scope["path"].startswith(_OF_THE_API)
        await (api if ours else panel)(scope, receive, send)

    return route
