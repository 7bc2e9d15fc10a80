"""How a domain declares its routes: `router = org_router("connections")`, nothing else.

`routes/__init__` includes every module's `router`. All of them share the tag, the problems that
OpenAPI names, and what `FabricRoute` adds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from etlfabric_dagster.api import etags, repeats
from etlfabric_dagster.api.body import STREAMED
from etlfabric_dagster.api.problems import MEDIA_TYPE, Problem

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Refused: what happened, and what to do.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


_edited: set[str] = set()
"""Paths that can be changed or deleted: of nothing else an ETag says anything."""


class FabricRoute(APIRoute):
    """Repeated creations happen once; edits of an older version are refused."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with what its headers ask for around it."""
        handler = super().get_route_handler()
        path = self.path_format
        if set(etags.EDITS).intersection(self.methods or ()):
            _edited.add(path)

        async def handle(request: Request) -> Response:
            if request.method == "POST" and repeats.HEADER in request.headers:
                return await repeats.once(request, handler)
            if request.method in etags.EDITS and etags.HEADER in request.headers:
                if not STREAMED.match(request.url.path):
                    await request.body()  # none waits with the lock for a client that dawdles
                async with etags.unchanged(request):
                    answer = await handler(request)
            else:
                answer = await handler(request)
            if request.method != "POST" and path in _edited:
                etags.tag(answer)
            return answer

        return handle


def org_router(noun: str, *, path: str | None = None) -> APIRouter:
    """Routes inside an org: `/orgs/{slug}/{noun}`.

    Args:
        noun: the domain, as in the CLI: also the tag.
        path: where it differs from the noun.
    """
    return APIRouter(
        prefix=f"/orgs/{{slug}}/{noun if path is None else path}".rstrip("/"),
        tags=[noun],
        responses=PROBLEM,
        route_class=FabricRoute,
    )


def router(noun: str, *, path: str | None = None) -> APIRouter:
    """Routes of the install: `/{noun}`."""
    prefix = f"/{noun if path is None else path}".rstrip("/")
    return APIRouter(prefix=prefix, tags=[noun], responses=PROBLEM, route_class=FabricRoute)


def problem_schema() -> dict[str, Any]:
    """The component that every route's problem refers to."""
    return Problem.model_json_schema(ref_template="#/components/schemas/{model}")
