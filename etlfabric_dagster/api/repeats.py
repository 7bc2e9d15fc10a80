"""`Idempotency-Key`: a creation that is sent twice happens once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from etlfabric_dagster.api.body import STREAMED
from etlfabric_dagster.api.deps import current_actor
from etlfabric_dagster.errors import UnauthenticatedError
from etlfabric_dagster.services import idempotency
from etlfabric_dagster.services.idempotency import Answer
from etlfabric_dagster.services.scope import Actor

HEADER, REPLAYED = "idempotency-key", "idempotency-replayed"
MAX_KEPT = 1024 * 1024  # bytes of an answer: what creates answers less, what reads may answer more

Handler = Callable[[Request], Awaitable[Response]]


async def once(request: Request, handler: Handler) -> Response:
    """Handle a request that names a key, or repeat the answer it got before.

    Keys are a person's: nobody's are not looked at. Neither are those of files, whose bodies would
    have to be held whole.
    """
    actor = await _asking(request)
    if actor is None or actor.user_id is None or STREAMED.match(request.url.path):
        return await handler(request)
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    key = request.headers[HEADER]
    reserved, known = await idempotency.reserve(actor.user_id, key, head + await request.body())
    if known is not None:
        headers = {REPLAYED: "true"}
        return Response(known.body, known.status, headers, media_type="application/json")
    try:
        answer = await handler(request)
    except BaseException:
        await idempotency.release(reserved)
        raise
    body = getattr(answer, "body", None)
    if answer.status_code >= 300 or not isinstance(body, bytes) or len(body) > MAX_KEPT:
        await idempotency.release(reserved)
    else:
        stored = Answer(answer.status_code, body.decode())
        await idempotency.keep(actor.user_id, reserved, stored)
    return answer


async def _asking(request: Request) -> Actor | None:
    """Who asks; a route that needs somebody refuses nobody by itself."""
    try:
        return await current_actor(request)
    except UnauthenticatedError:
        return None
