"""Answers that may take long: a request waits a while, then points to where the answer will be."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse

from etlfabric_dagster.api.problems import RETRY_AFTER_S
from etlfabric_dagster.errors import NotAnsweredYetError
from etlfabric_dagster.schemas.base import Value

MAX_WAIT_S = 60

WaitS = Annotated[
    float,
    Query(
        ge=0,
        le=MAX_WAIT_S,
        description="Seconds to wait; then 202 and a `Location` that gives the answer.",
    ),
]


class NotAnsweredYet(Value):
    """The work goes on: ask the `Location` again."""

    request: UUID
    location: str


LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": NotAnsweredYet, "description": "Not answered yet: ask the `Location` again."}
}


def install(app: FastAPI) -> None:
    """Answer 202 wherever the work goes on."""
    app.add_exception_handler(NotAnsweredYetError, _accepted)


def later(request_id: UUID, location: str) -> JSONResponse:
    """202: the answer will be at `location`."""
    found = NotAnsweredYet(request=request_id, location=location)
    headers = {"location": location, "retry-after": str(RETRY_AFTER_S)}
    return JSONResponse(found.model_dump(mode="json"), 202, headers)


async def _accepted(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, NotAnsweredYetError)
    base, _, rest = request.url.path.partition("/orgs/")
    slug = rest.partition("/")[0]
    asked = UUID(exc.where["request"])
    return later(asked, f"{base}/orgs/{slug}/answers/{asked}")
