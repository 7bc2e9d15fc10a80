"""Is it up, can it serve, and its figures: /healthz, /readyz, /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from etlfabric_dagster.api import metrics
from etlfabric_dagster.api.deps import CurrentActor
from etlfabric_dagster.services import health
from etlfabric_dagster.services import metrics as pipeline_metrics
from etlfabric_dagster.services.scope import require_operator

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz() -> JSONResponse:
    """200 when a request can be served; 503 and why, otherwise."""
    found = await health.readiness()
    ready = all(state == "ok" for state in found.values())
    return JSONResponse(
        {"status": "ok" if ready else "unavailable", **found}, 200 if ready else 503
    )


@router.get("/metrics")
async def read_metrics(actor: CurrentActor) -> Response:
    """Prometheus text, for operators: give the scraper an operator's API token."""
    require_operator(actor, "read metrics")
    install = metrics.render(await health.queue_depth())
    tenants = pipeline_metrics.render(await pipeline_metrics.snapshot())
    return Response(install + tenants.encode(), media_type=CONTENT_TYPE_LATEST)
