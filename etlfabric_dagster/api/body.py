"""No request may be larger than its route needs."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etlfabric_dagster.api import problems
from etlfabric_dagster.errors import TooLargeError

MAX_BODY = 4 * 1024 * 1024
STREAMED = re.compile(r"/api/v1/orgs/[^/]+/(uploads|dbt-models/import)(/|$)")
"""Files: their services read them in pieces and keep limits of their own."""


class BodyLimit:
    """Refuses a body above MAX_BODY with 413, whether or not its length was announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or STREAMED.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > MAX_BODY:
            await problems.response(_too_large(), scope["state"]["request_id"])(
                scope, receive, send
            )
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                # the framework passes on its own exceptions only
                raise HTTPException(413) from _too_large()
            return message

        await self._app(scope, counted, send)


def _too_large() -> TooLargeError:
    return TooLargeError(
        f"The request is larger than {MAX_BODY // 1024 // 1024} MiB.",
        "Send less at a time; put files with the uploads routes.",
        limit_bytes=MAX_BODY,
    )
