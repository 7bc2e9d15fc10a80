"""Connections. Secrets go in and never come out."""

from __future__ import annotations

from pydantic import Field, JsonValue, SecretStr

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.api.waiting import LATER, WaitS
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.connections import ConnectionOut
from etlfabric_dagster.schemas.streams import CheckResult, Discovery
from etlfabric_dagster.services import connections

router = org_router("connections")

Secrets = dict[str, SecretStr]


class ConnectionIn(Value):
    """A new connection; `/connectors/{name}` describes config and secrets."""

    name: str
    connector: str
    config: dict[str, JsonValue]
    secrets: Secrets = Field(default_factory=dict)


class ConnectionEdit(Value):
    """What to change: the whole config, and those secrets that are given."""

    config: dict[str, JsonValue] | None = None
    secrets: Secrets = Field(default_factory=dict)


@router.get("")
async def list_connections(scope: Scoped, page: PageQuery) -> Page[ConnectionOut]:
    """Connections by name, without secrets."""
    return await connections.list_connections(scope, page.cursor, page.limit)


@router.post("", status_code=201)
async def create_connection(scope: Scoped, given: ConnectionIn) -> ConnectionOut:
    """Store a connection; nothing is dialled until it is checked."""
    return await connections.create(
        scope, given.name, given.connector, given.config, _clear(given.secrets)
    )


@router.get("/{name}")
async def get_connection(scope: Scoped, name: str) -> ConnectionOut:
    """One connection; `secrets` names those that are stored."""
    return await connections.get(scope, name)


@router.patch("/{name}")
async def update_connection(scope: Scoped, name: str, given: ConnectionEdit) -> ConnectionOut:
    """Replace the config if given, and those secrets that are given; others stay."""
    secrets = _clear(given.secrets)
    return await connections.update(scope, name, config=given.config, secrets=secrets)


@router.delete("/{name}", status_code=204)
async def delete_connection(scope: Scoped, name: str) -> None:
    """Delete it with its credentials; loaded tables stay. Refused while pipelines use it."""
    await connections.delete(scope, name)


@router.post("/{name}/check", responses=LATER)
async def check_connection(
    actor: CurrentActor, slug: Slug, name: str, wait_s: WaitS = 30
) -> CheckResult:
    """Try it for real, step by step. A connection that does not work answers 200, `ok` false."""
    return await connections.check(actor, slug, name, wait_s=wait_s)


@router.post("/{name}/discover", responses=LATER)
async def discover_connection(
    actor: CurrentActor, slug: Slug, name: str, wait_s: WaitS = 30
) -> Discovery:
    """Which streams it offers, read from the source now."""
    return await connections.discover(actor, slug, name, wait_s=wait_s)


def _clear(secrets: Secrets) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secrets.items()}
