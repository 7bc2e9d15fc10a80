"""Check, discover and sample: a connector is asked, nothing is loaded."""

from __future__ import annotations

from typing import Any

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import CheckJob, DiscoverJob, SampleJob
from etlfabric_dagster.schemas.streams import Discovery


def check(job: CheckJob, _emit: Emit, _workdir: str) -> dict[str, Any]:
    """Payload: CheckResult."""
    source = job.source
    return registry.get(source.connector).check(source).model_dump(mode="json")


def discover(job: DiscoverJob, _emit: Emit, _workdir: str) -> dict[str, Any]:
    """Payload: Discovery. Raises ConnectorError."""
    source = job.source
    streams = tuple(registry.get(source.connector).discover(source))
    return Discovery(streams=streams).model_dump(mode="json")


def sample(job: SampleJob, _emit: Emit, _workdir: str) -> dict[str, Any]:
    """Payload: a few values per column, at most. Raises ConnectorError."""
    return {"values": registry.get(job.source.connector).sample(job.source, job.stream)}
