"""`create_app()`: the whole HTTP API as one ASGI application."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from etlfabric_dagster import __version__, db
from etlfabric_dagster.api import problems, routes, waiting
from etlfabric_dagster.api.body import BodyLimit
from etlfabric_dagster.api.context import REQUEST_ID, RequestContext
from etlfabric_dagster.api.cors import Cors
from etlfabric_dagster.api.routes import health
from etlfabric_dagster.api.routing import problem_schema
from etlfabric_dagster.config import settings

PREFIX = "/api/v1"
DESCRIPTION = (
    "Data pipelines for many organizations. Authenticate with `Authorization: Bearer` and an API"
    " token or the access token of `/auth/login`. Every refusal is a problem (RFC 9457) with a"
    " `remedy` and a stable `code`."
)


def create_app() -> FastAPI:
    """A new application; nothing is connected before the first request."""
    app = FastAPI(
        title="ETL Fabric",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    problems.install(app)
    waiting.install(app)
    app.include_router(routes.api_router(), prefix=PREFIX)
    app.include_router(health.router)
    app.openapi = lambda: _openapi(app)
    # the last added is the outermost
    app.add_middleware(BodyLimit)
    app.add_middleware(
        Cors,
        allow_origins=settings.allowed_origins,
        allow_credentials=True,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", REQUEST_ID],
        expose_headers=["ETag", "Retry-After", REQUEST_ID],
        max_age=600,
    )
    app.add_middleware(RequestContext)
    return app


@asynccontextmanager
async def _lifespan(_app: ASGIApp) -> AsyncIterator[None]:
    gc.freeze()  # what is imported stays: looking through it stops requests for 100 ms and more
    yield
    await db.dispose()


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        parts = schema.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = problem_schema()
        parts["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "etlfabric"},
        }
        schema["security"] = [{"bearer": []}, {"cookie": []}]
        app.openapi_schema = schema
    return app.openapi_schema
