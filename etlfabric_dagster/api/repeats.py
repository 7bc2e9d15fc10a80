"""`Idempotency-Key`: a creation that is sent twice happens once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from etlfabric_dagster.api.deps import current_actor
from etlfabric_dagster.services import idempotency
from etlfabric_dagster.services.idempotency import Answer

HEADER, REPLAYED = "idempotency-key", "idempotency-replayed"

Handler = Callable[[Request], Awaitable[Response]]


async def once(request: Request, handler: Handler) -> Response:
    """Handle a request that names a key, or repeat the answer it got before."""
    actor = await current_actor(request)
    if actor.user_id is None:
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
    if answer.status_code >= 300 or not isinstance(answer.body, bytes):
        await idempotency.release(reserved)
    else:
        stored = Answer(answer.status_code, answer.body.decode())
        await idempotency.keep(actor.user_id, reserved, stored)
    return answer
