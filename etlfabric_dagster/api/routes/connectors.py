"""Connectors: kinds of sources, with their forms as JSON Schema."""

from __future__ import annotations

from etlfabric_dagster.api.deps import CurrentActor
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.connectors import registry
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.connections import ConnectorInfo, ConnectorSpec

router = make_router("connectors")


@router.get("")
def list_connectors(_actor: CurrentActor) -> Page[ConnectorInfo]:
    """All connectors by name."""
    return Page(items=tuple(registry.list()))


@router.get("/{name}")
def get_connector(_actor: CurrentActor, name: str) -> ConnectorSpec:
    """One connector with the JSON Schemas of its config and secrets."""
    return registry.get(name).spec
