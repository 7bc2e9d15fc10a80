"""Connections: create, list, edit, delete, check, discover. Secrets go in and never come out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer

from etlfabric_dagster import clock, storage
from etlfabric_dagster.config import settings
from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.base import Connector
from etlfabric_dagster.connectors.validation import validate_config, validate_connection
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.models import AlertChannel, Connection, Org, Pipeline
from etlfabric_dagster.schemas.base import Name, Page
from etlfabric_dagster.schemas.connections import ConnectionOut
from etlfabric_dagster.schemas.jobs import (
    EgressPolicy,
    SourceConfig,
)
from etlfabric_dagster.schemas.streams import CheckResult, Discovery
from etlfabric_dagster.services import audit, interactive, named_pages, versions
from etlfabric_dagster.services.scope import (
    Actor,
    OrgScope,
    org_scope,
    require_operator,
)
from etlfabric_dagster.services.vault import vault

_name = TypeAdapter(Name)


async def create(
    scope: OrgScope,
    name: str,
    connector: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
) -> ConnectionOut:
    """Store a connection; nothing is dialled.

    Raises:
        InvalidInputError: name, config or secrets do not fit; `where["field"]` names the field.
        ConflictError: the name is taken.
    """
    scope.require("connections.create")
    check_name(name, "connection")
    secrets = dict(secrets or {})
    _validate(scope.actor, connector, config, secrets)
    connection_id = uuid4()
    row = Connection(
        id=connection_id,
        name=name,
        connector=connector,
        config=dict(config),
        sealed=vault().seal(scope.org_id, connection_id, secrets),
        secret_names=sorted(secrets),
    )
    scope.session.add(row)
    try:
        await scope.session.flush()
    except IntegrityError as exc:
        raise ConflictError(
            f"There is already a connection '{name}' in '{scope.slug}'.", "Choose another name."
        ) from exc
    await scope.session.refresh(row)
    await scope.touch_config()
    await audit.record(scope, "connections.create", f"connections/{name}", after=_out(row))
    return _out(row)


async def list_connections(
    scope: OrgScope, cursor: str | None = None, limit: int | None = None
) -> Page[ConnectionOut]:
    """Connections by name, a page, or all without a limit."""
    lean = select(Connection).options(defer(Connection.discovery), defer(Connection.sealed))
    query = named_pages.window(lean, Connection.name, cursor, limit)
    found = [_out(row) for row in await scope.session.scalars(query)]
    return named_pages.page(found, limit, lambda one: one.name)


async def get(scope: OrgScope, name: str) -> ConnectionOut:
    """One connection. Raises NotFoundError."""
    return _out(await find(scope, name))


async def update(
    scope: OrgScope,
    name: str,
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    expected: str | None = None,
) -> ConnectionOut:
    """Replace the config, and those secrets that are given; others stay.

    Args:
        expected: `version_of` what the edit was made from.

    Raises NotFoundError, InvalidInputError, EditedMeanwhileError.
    """
    scope.require("connections.update")
    row = await find(scope, name, lock=True)
    before = _out(row)
    await versions.refuse_lost_update(scope, f"connections/{name}", _content(before), expected)
    new_config = dict(row.config if config is None else config)
    if secrets:
        stored = _secrets(scope, row) | dict(secrets)
        _validate(scope.actor, row.connector, new_config, stored)
        row.sealed = vault().seal(scope.org_id, row.id, stored)
        row.secret_names = sorted(stored)
    else:
        validate_config(_connector(scope.actor, row.connector).spec, new_config)
    row.config, row.last_check, row.checked_at = new_config, None, None
    row.discovery = row.discovered_at = None
    await scope.session.flush()
    await scope.session.refresh(row)
    await scope.touch_config()
    replaced = {"replaced_secrets": sorted(secrets or {})}
    await audit.record(
        scope,
        "connections.update",
        f"connections/{name}",
        before=before,
        after=_out(row).model_dump(mode="json") | replaced,
    )
    return _out(row)


def version_of(connection: ConnectionOut) -> str:
    """Names what people set of it, so that an edit can say what it was made from."""
    return versions.version_of(_content(connection))


def _content(connection: ConnectionOut) -> dict[str, Any]:
    shown = connection.model_dump(mode="json", include={"name", "connector", "config", "secrets"})
    if isinstance(ssh := shown["config"].get("ssh"), dict):
        ssh.pop("host_key", None)  # learned at the first use, by nobody's edit
    return shown


async def delete(scope: OrgScope, name: str) -> None:
    """Delete a connection and its credentials; loaded tables stay.

    Raises:
        ConflictError: pipelines still use it.
    """
    scope.require("connections.delete")
    row = await find(scope, name)
    used = await scope.session.scalars(
        select(Pipeline.name).where(Pipeline.connection_id == row.id).order_by(Pipeline.name)
    )
    if users := list(used):
        raise ConflictError(
            f"{name} is used by {len(users)} pipelines: {', '.join(users)}.",
            "Delete or re-point them first.",
            pipelines=users,
        )
    before = _out(row)
    await scope.session.delete(row)
    await scope.session.flush()
    await scope.touch_config()
    await audit.record(scope, "connections.delete", f"connections/{name}", before=before)


async def check(actor: Actor, slug: str, name: str, *, wait_s: float | None = None) -> CheckResult:
    """Try the connection for real, on an interactive worker. The result is kept on it.

    Raises NotAnsweredYetError after `wait_s`; the check goes on.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("connections.check")
        org_id = scope.org_id
        await find(scope, name)
    answer = await interactive.ask(org_id, "check", {"connection": name}, 60, wait_s)
    return CheckResult.model_validate(answer)


async def try_update(
    actor: Actor,
    slug: str,
    name: str,
    *,
    config: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    expected: str | None = None,
) -> CheckResult:
    """Try the connection as `update` would make it, and keep the change only if that works.

    Raises what `update` raises; a source that refuses is an answer.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("connections.update")
        row = await find(scope, name)
        content = _content(_out(row))
        await versions.refuse_lost_update(scope, f"connections/{name}", content, expected)
        stored = _secrets(scope, row) | dict(secrets or {})
        _validate(actor, row.connector, config, stored)
        org_id, sealed = scope.org_id, vault().seal(scope.org_id, row.id, stored)
    # sealed on its way too: requests are rows that stay for an hour
    candidate = {"config": dict(config), "sealed": base64.b64encode(sealed).decode()}
    answer = await interactive.ask(org_id, "check", {"connection": name} | candidate, 60)
    result = CheckResult.model_validate(answer)
    if result.ok:
        async with org_scope(actor, slug) as scope:
            await update(scope, name, config=config, secrets=secrets, expected=expected)
            keep_check(await find(scope, name), config, answer)
    return result


async def discover(actor: Actor, slug: str, name: str, *, wait_s: float | None = None) -> Discovery:
    """What the connection offers. Raises ConnectorError with cause and remedy, and
    NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("connections.discover")
        org_id = scope.org_id
        await find(scope, name)
    arguments = {"connection": name}
    answer = await interactive.ask(org_id, "discover", arguments, wait_s=wait_s)
    return Discovery.model_validate(answer)


async def sample(
    actor: Actor, slug: str, name: str, stream: str, *, wait_s: float | None = None
) -> dict[str, list[str | None]]:
    """A few values per column of a stream, read from the source now; none where that would be
    much. Raises what `discover` raises.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("connections.discover")
        org_id = scope.org_id
        await find(scope, name)
    arguments = {"connection": name, "stream": stream}
    return (await interactive.ask(org_id, "sample", arguments, 40, wait_s))["values"]


async def last_discovery(scope: OrgScope, name: str) -> Discovery:
    """What the last `discover` found; nothing is dialled. Empty before the first."""
    row = await find(scope, name)
    return Discovery.model_validate(row.discovery or {"streams": ()})


def keep_check(row: Connection, tried: Mapping[str, Any], payload: dict[str, Any]) -> None:
    """The result, and the key of an SSH server that was trusted for the first time."""
    row.last_check, row.checked_at = payload, clock.now()
    ssh = row.config.get("ssh")
    if ssh and payload["host_key"] and ssh == tried.get("ssh"):
        row.config = {**row.config, "ssh": {**ssh, "host_key": payload["host_key"]}}


async def find(scope: OrgScope, name: str, *, lock: bool = False) -> Connection:
    """The row, held until the transaction ends when it is to be locked. Raises NotFoundError."""
    query = select(Connection).where(Connection.name == name)
    row = await scope.session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFoundError(
            f"There is no connection '{name}' in '{scope.slug}'.",
            f"List them: etlfabric connections list {scope.slug}",
        )
    return row


async def source_config(scope: OrgScope, row: Connection) -> SourceConfig:
    """The connection with its secrets in clear: for a sandbox job, and nothing else."""
    return await source_of(scope, row.connector, row.config, _secrets(scope, row))


async def source_of(
    scope: OrgScope, connector: str, config: dict[str, Any], secrets: dict[str, str]
) -> SourceConfig:
    """What a sandbox job is told of a source, stored or not."""
    from_uploads = config.get("bucket_url") == "uploads://"
    return SourceConfig(
        connector=connector,
        config=config,
        secrets=secrets,
        egress=egress_policy(),
        uploads=await asyncio.to_thread(storage.local_uploads, scope.org_id)
        if from_uploads
        else None,
    )


def egress_policy() -> EgressPolicy:
    """What the operator opened, and the platform's own addresses, which stay closed."""
    return EgressPolicy(allow=tuple(settings.egress_allow), deny=settings.platform_addresses)


async def rotate_credentials(actor: Actor) -> dict[str, int]:
    """Seal everything under the newest key. Resumable: each org is one transaction.

    Returns how many payloads were rotated and how many were current already.
    """
    require_operator(actor, "rotate credentials")
    async with get_session() as session:
        org_ids = list(await session.scalars(select(Org.id).order_by(Org.slug)))
    counts = {"rotated": 0, "current": 0}
    for org_id in org_ids:
        async with get_session(org_id=org_id) as session:
            schema = f"tenant_{org_id.hex}"
            exists = text("SELECT to_regclass(:table) IS NOT NULL")
            rows: list[Any] = [await session.get_one(Org, org_id)]
            channels = select(AlertChannel).where(AlertChannel.org_id == org_id)
            rows += await session.scalars(channels.with_for_update())
            if await session.scalar(exists, {"table": f"{schema}.connections"}):
                rows += await session.scalars(select(Connection).with_for_update())
            for row in rows:
                if row.sealed is None or vault().is_current(row.sealed):
                    counts["current"] += 1
                else:
                    row.sealed = vault().rotate(row.sealed)
                    counts["rotated"] += 1
    async with get_session() as session:
        await audit.write(session, actor, "credentials.rotate", "credentials", after=counts)
    return counts


def check_name(name: str, what: str) -> None:
    """Raises InvalidInputError unless it can name a connection or pipeline."""
    try:
        _name.validate_python(name)
    except ValidationError as exc:
        raise InvalidInputError(
            f"'{name[:60]}' cannot name a {what}.",
            "Use 1 to 40 lower-case letters, digits and single underscores, a letter first.",
            field="name",
        ) from exc


def _connector(actor: Actor, name: str) -> Connector:
    connector = registry.get(name)
    if connector.spec.operators_only:
        require_operator(actor, f"use the connector '{name}'")
    return connector


def _validate(
    actor: Actor, connector: str, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    validate_connection(_connector(actor, connector).spec, config, secrets)


def _secrets(scope: OrgScope, row: Connection) -> dict[str, str]:
    return vault().open(scope.org_id, row.id, row.sealed) if row.sealed else {}


def _out(row: Connection) -> ConnectionOut:
    return ConnectionOut.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "connector": row.connector,
            "config": row.config,
            "secrets": row.secret_names,
            "last_check": row.last_check,
            "checked_at": row.checked_at,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )
