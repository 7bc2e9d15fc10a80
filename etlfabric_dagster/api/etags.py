"""ETags: an edit that names the version it was made from never undoes a newer one.

A GET of one object that can be edited carries the ETag of what it shows; PUT, PATCH and DELETE of
the same path with `If-Match` answer 412 when it has changed. Such edits of one path follow each
other (a lock), so of two from the same version one wins. What comes by the CLI is not held back by
that lock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request, Response
from sqlalchemy import text
from starlette.types import Message

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import EditedMeanwhileError

HEADER = "if-match"
EDITS = ("PUT", "PATCH", "DELETE")
MAX_BYTES = 16 * 1024 * 1024
NOT_CONTENT = {
    *("updated_at", "last_check", "checked_at", "next_fire_at", "last_seen_at", "last_used_at"),
    *("config_version", "discovered_at"),
    *("rows_used", "storage_used_bytes", "warnings", "exceeded"),
}
"""What changes without an edit."""

_waiting = asyncio.Semaphore(3)  # each holds a connection while its edit goes on


def tag(answer: Response) -> None:
    """Give the answer of one object its ETag."""
    body = getattr(answer, "body", None)  # files and streams have none
    if answer.status_code == 200 and isinstance(body, bytes) and (found := etag_of(body)):
        answer.headers["etag"] = found


def etag_of(body: bytes | memoryview[int]) -> str | None:
    """Of one object as JSON; None for lists and for what is no object."""
    if len(body) > MAX_BYTES or bytes(body[:1]) != b"{":
        return None
    shown: dict[str, Any] = json.loads(bytes(body))
    if "items" in shown:
        return None
    content = {key: value for key, value in shown.items() if key not in NOT_CONTENT}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


@asynccontextmanager
async def unchanged(request: Request) -> AsyncIterator[None]:
    """Hold the path's lock around an edit, once it is seen that nobody came first.

    Raises EditedMeanwhileError.
    """
    wanted = {part.strip() for part in request.headers[HEADER].split(",")}
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:path, 412))")
    async with _waiting, get_session() as session:
        await session.execute(lock, {"path": request.url.path})
        current = await _current(request)
        if current not in wanted and not (current and wanted == {"*"}):
            raise EditedMeanwhileError(
                f"{request.url.path.rpartition('/')[2]} was saved by somebody else after you"
                " opened it. Yours is not saved yet.",
                "Read it again, compare, then save.",
                etag=current,
            )
        yield


async def _current(request: Request) -> str | None:
    """The ETag that a GET of the same path by the same caller would carry."""
    scope = {
        **{key: request.scope[key] for key in _SAME if key in request.scope},
        "method": "GET",
        "headers": [pair for pair in request.scope["headers"] if pair[0] in _IDENTITY],
        "state": {"request_id": request.state.request_id},
    }
    found: dict[bytes, bytes] = {}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.update(message["headers"])

    await request.app(scope, receive, send)
    return found[b"etag"].decode() if b"etag" in found else None


_SAME = (
    *("type", "asgi", "http_version", "scheme", "path", "raw_path", "root_path"),
    *("query_string", "server", "client"),
)
_IDENTITY = (b"authorization", b"cookie", b"host", b"origin")
