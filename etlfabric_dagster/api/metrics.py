"""Prometheus metrics of this process, and of the queue as the database knows it."""

from __future__ import annotations

from prometheus_client import REGISTRY, Gauge, Histogram, generate_latest

from etlfabric_dagster.schemas.runs import QueueDepth

_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}

_requests = Histogram(
    "etlfabric_http_request_seconds",
    "Requests of the HTTP API by route and status.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
_queued = Gauge("etlfabric_runs_queued", "Runs that wait for a worker.")
_running = Gauge("etlfabric_runs_running", "Runs that are executed now.")
_oldest = Gauge("etlfabric_runs_oldest_queued_seconds", "Age of the run that waits longest.")
_interactive = Gauge("etlfabric_interactive_waiting", "Interactive requests nobody answers yet.")


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request. `route` is its operation id, never the path: labels must stay few."""
    known = method if method in _METHODS else "other"
    _requests.labels(known, route, str(status)).observe(seconds)


def render(depth: QueueDepth) -> bytes:
    """All metrics in Prometheus' text format."""
    _queued.set(depth.queued)
    _running.set(depth.running)
    _oldest.set(depth.oldest_queued_s)
    _interactive.set(depth.interactive_waiting)
    return generate_latest(REGISTRY)
