"""Every refusal as a problem (RFC 9457) with a remedy, a stable code and the ids it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from etlfabric_dagster.errors import (
    ConflictError,
    ConnectorError,
    EditedMeanwhileError,
    FabricError,
    GoneError,
    InvalidInputError,
    NotFoundError,
    OrgSuspendedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitedError,
    StackError,
    TooLargeError,
    TransformError,
    UnauthenticatedError,
)
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.base import Value

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2

STATUS: Mapping[type[FabricError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    EditedMeanwhileError: 412,
    GoneError: 410,
    InvalidInputError: 422,
    PermissionDeniedError: 403,
    OrgSuspendedError: 403,
    QuotaError: 403,
    UnauthenticatedError: 401,
    RateLimitedError: 429,
    TooLargeError: 413,
    ConnectorError: 422,
    TransformError: 422,
    StackError: 503,
}
"""The nearest class in an error's ancestry decides; anything else is 500."""

NOT_A_ROUTE = "See the list of routes: /api/v1/openapi.json"
_UNREACHABLE = (
    # connecting fails below SQLAlchemy, which wraps what a connection says later
    *(ConnectionError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError),
    *(asyncpg.TooManyConnectionsError, asyncpg.InterfaceError, PoolTimeoutError),
)
_INVALID_SQLSTATES = ("22", "54")  # the value cannot be stored: data exception, limit exceeded


class Problem(Value):
    """A refusal. `code` is stable; `detail` and `remedy` are for people."""

    type: str
    """`urn:etlfabric:problem:CODE`."""
    title: str
    status: int
    detail: str
    remedy: str
    code: str
    kind: str
    """The code of the error's class: what clients map to exceptions."""
    where: dict[str, Any] = Field(default_factory=dict)
    """Facts for programs: names, ids, fields."""
    errors: tuple[dict[str, str], ...] = ()
    """Each field that was not understood: `{"field", "message"}`."""
    request_id: str


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(FabricError, _fabric)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    for unreachable in _UNREACHABLE:
        app.add_exception_handler(unreachable, _database)
    app.add_exception_handler(UnicodeError, _unstorable)


def response(
    error: FabricError,
    request_id: str,
    *,
    status: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """The problem that tells an error."""
    status = status or status_of(error)
    problem = Problem(
        type=f"urn:etlfabric:problem:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        remedy=error.remedy,
        code=error.code,
        kind=error.kind,
        where=error.where,
        errors=tuple(dict(one) for one in errors),
        request_id=request_id,
    )
    headers = _headers(status, error)
    return JSONResponse(problem.model_dump(mode="json"), status, headers, media_type=MEDIA_TYPE)


def status_of(error: FabricError) -> int:
    """The HTTP status of an error's class."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def unforeseen(exc: Exception, request_id: str) -> JSONResponse:
    """500 with the reference under which the log holds the cause; the cause itself stays there."""
    log.error("api.unforeseen", request_id=request_id, exc_info=exc)
    error = FabricError(
        "The server could not finish this request; the cause is in its log.",
        f"Try again. If it persists, give the operator this reference: {request_id}.",
        code="unforeseen",
    )
    return response(error, request_id, status=500)


async def _fabric(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, FabricError)
    answer = response(exc, request.state.request_id)
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("api.failed", code=exc.code, exc_info=exc)
    return answer


async def _validation(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    found = [
        {"field": ".".join(str(part) for part in one["loc"][1:]) or "body", "message": one["msg"]}
        for one in exc.errors()
    ]
    first = found[0]
    error = InvalidInputError(
        f"{first['field']}: {first['message']}.",
        "Correct the request; /api/v1/openapi.json describes it.",
        field=first["field"],
    )
    return response(error, request.state.request_id, errors=found)


async def _http(request: Request, exc: Exception) -> JSONResponse:
    """What the framework itself refuses: no such path, method, unreadable body."""
    assert isinstance(exc, HTTPException)
    if isinstance(exc.__cause__, FabricError):
        return await _fabric(request, exc.__cause__)
    path = request.url.path
    known = {
        404: (f"There is nothing at {path[:200]}.", NOT_A_ROUTE, "no_route"),
        405: (f"{request.method} is not possible at {path[:200]}.", NOT_A_ROUTE, "no_method"),
    }
    detail, remedy, code = known.get(
        exc.status_code, (str(exc.detail), "Correct the request.", "bad_request")
    )
    error = FabricError(detail, remedy, code=code)
    answer = response(error, request.state.request_id, status=exc.status_code)
    answer.headers.update(exc.headers or {})
    return answer


async def _database(request: Request, exc: Exception) -> JSONResponse:
    state = getattr(getattr(exc, "orig", exc), "sqlstate", None) or ""
    if state.startswith(_INVALID_SQLSTATES) or isinstance(exc.__cause__, ValueError):
        return await _unstorable(request, exc)
    unreachable = isinstance(exc, (OperationalError, InterfaceError, *_UNREACHABLE))
    if not unreachable and not state.startswith(("08", "57", "53")):
        return unforeseen(exc, request.state.request_id)
    log.error("api.database_unreachable", error=type(exc).__name__, sqlstate=state)
    error = StackError(
        "The platform's database cannot be reached just now.",
        "Try again in a few seconds.",
        code="database_unreachable",
    )
    return response(error, request.state.request_id)


async def _unstorable(request: Request, exc: Exception) -> JSONResponse:
    """Text or a number that PostgreSQL cannot hold: NUL, lone surrogates, out of range."""
    error = InvalidInputError(
        "The request holds a value that cannot be stored.",
        "Remove NUL characters and broken Unicode, and keep numbers in range.",
    )
    return response(error, request.state.request_id)


def _headers(status: int, error: FabricError) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(error.where.get("retry_after_s", RETRY_AFTER_S))
    return headers
