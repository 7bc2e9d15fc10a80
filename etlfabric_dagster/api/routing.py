"""How a domain declares its routes: `router = org_router("connections")`, nothing else.

`routes/__init__` includes every module's `router`. All of them share the tag, the problems that
OpenAPI names, and what `FabricRoute` adds.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from etlfabric_dagster.api.problems import MEDIA_TYPE, Problem

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Refused: what happened, and what to do.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


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
    )


def router(noun: str, *, path: str | None = None) -> APIRouter:
    """Routes of the install: `/{noun}`."""
    prefix = f"/{noun if path is None else path}".rstrip("/")
    return APIRouter(prefix=prefix, tags=[noun], responses=PROBLEM)


def problem_schema() -> dict[str, Any]:
    """The component that every route's problem refers to."""
    return Problem.model_json_schema(ref_template="#/components/schemas/{model}")
