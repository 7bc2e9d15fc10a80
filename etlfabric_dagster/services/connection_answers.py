"""Connections on the interactive worker: what people asked is checked, discovered, sampled."""

from __future__ import annotations

import base64
from typing import Any

from etlfabric_dagster import clock
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import CheckJob, DiscoverJob, SampleJob
from etlfabric_dagster.services import connections, sandbox
from etlfabric_dagster.services.scope import SYSTEM, org_scope_by_id
from etlfabric_dagster.services.vault import vault


async def answer_check(org_id: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `check`."""
    candidate = "config" in arguments
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        row = await connections.find(scope, arguments["connection"])
        if candidate:
            secrets = vault().open(org_id, row.id, base64.b64decode(arguments["sealed"]))
            source = await connections.source_of(scope, row.connector, arguments["config"], secrets)
        else:
            source = await connections.source_config(scope, row)
    payload = await sandbox.run(CheckJob(source=source))
    if not candidate:
        async with org_scope_by_id(SYSTEM, org_id) as scope:
            row = await connections.find(scope, arguments["connection"])
            connections.keep_check(row, source.config, payload)
    return payload


async def answer_discover(org_id: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `discover`. The first use of an SSH server is a check."""
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        source = await connections.source_config(
            scope, await connections.find(scope, arguments["connection"])
        )
    ssh = source.config.get("ssh")
    if ssh and not ssh.get("host_key"):
        first = await answer_check(org_id, arguments)
        if not first["host_key"]:
            raise ConnectorError(first["cause"], first["remedy"], code=first["code"])
        config = {**source.config, "ssh": {**ssh, "host_key": first["host_key"]}}
        source = source.model_copy(update={"config": config})
    payload = await sandbox.run(DiscoverJob(source=source))
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        row = await connections.find(scope, arguments["connection"])
        row.discovery, row.discovered_at = payload, clock.now()
    return payload


async def answer_sample(org_id: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The worker's side of `sample`."""
    async with org_scope_by_id(SYSTEM, org_id) as scope:
        source = await connections.source_config(
            scope, await connections.find(scope, arguments["connection"])
        )
    return await sandbox.run(SampleJob(source=source, stream=arguments["stream"]))
