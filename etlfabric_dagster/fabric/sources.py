"""Connections, pipelines and uploads of an org."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from etlfabric_dagster.fabric.base import InOrg, Streams
from etlfabric_dagster.fabric.gateway import Request, at, nothing, sent, whole
from etlfabric_dagster.schemas.connections import ConnectionOut, UploadOut
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, Discovery, SchemaPolicy
from etlfabric_dagster.services import (
    connections,
    pipelines,
    renaming,
    uploads,
)
from etlfabric_dagster.services.scope import OrgScope


class Connections(InOrg):
    """Connections of an org."""

    def create(
        self,
        name: str,
        *,
        connector: str,
        config: Mapping[str, Any],
        credentials: Mapping[str, str] | None = None,
    ) -> ConnectionOut:
        """Store a connection; nothing is dialled. Raises InvalidInputError, ConflictError.

        >>> config = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}
        >>> demo.connections.create("crm", connector="rest_api", config=config).name
        'crm'
        """
        body = {"name": name, "connector": connector, "config": dict(config)}
        body["secrets"] = dict(credentials or {})
        return self._scoped(
            lambda scope: connections.create(scope, name, connector, config, credentials),
            sent("POST", "connections", ConnectionOut, body),
        )

    def get(self, name: str) -> ConnectionOut:
        """One connection, without secrets. Raises NotFoundError.

        >>> demo.connections.get("shop").secrets
        ('password',)
        """
        return self._scoped(
            lambda scope: connections.get(scope, name),
            sent("GET", at("connections", name), ConnectionOut),
        )

    def list(self) -> tuple[ConnectionOut, ...]:
        """All connections by name.

        >>> [connection.name for connection in demo.connections.list()]
        [...'marketing'...'shop']
        """

        async def here(scope: OrgScope) -> tuple[ConnectionOut, ...]:
            return (await connections.list_connections(scope)).items

        return self._scoped(here, whole("connections", ConnectionOut))

    def update(
        self,
        name: str,
        *,
        config: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> ConnectionOut:
        """Replace the config, and those credentials that are given.

        >>> config = demo.connections.get("shop").config
        >>> demo.connections.update("shop", config=config | {"tls": "prefer"}).config["tls"]
        'prefer'
        """
        body = {"config": config and dict(config), "secrets": dict(credentials or {})}
        return self._scoped(
            lambda scope: connections.update(scope, name, config=config, secrets=credentials),
            sent("PATCH", at("connections", name), ConnectionOut, body),
        )

    def delete(self, name: str) -> None:
        """Delete it; loaded tables stay. Raises ConflictError while pipelines use it.

        >>> config = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}
        >>> connection = demo.connections.create("old_crm", connector="rest_api", config=config)
        >>> demo.connections.delete("old_crm")
        """
        self._scoped(
            lambda scope: connections.delete(scope, name),
            nothing("DELETE", at("connections", name)),
        )

    def check(self, name: str) -> CheckResult:
        """Try it for real.

        >>> result = demo.connections.check("shop")
        >>> result.ok, result.cause
        (True, '')
        """
        return self._ask(
            lambda actor, slug: connections.check(actor, slug, name),
            sent("POST", at("connections", name, "check"), CheckResult),
        )

    def discover(self, name: str) -> tuple[DiscoveredStream, ...]:
        """What it offers. Raises ConnectorError.

        >>> [stream.name for stream in demo.connections.discover("marketing")]
        ['spend']
        """
        return self._ask(
            lambda actor, slug: connections.discover(actor, slug, name),
            sent("POST", at("connections", name, "discover"), Discovery),
        ).streams


class Pipelines(InOrg):
    """Pipelines of an org."""

    def create(
        self,
        name: str,
        *,
        connection: str | None = None,
        streams: Streams = "all",
        table_prefix: str | None = None,
        schema_policy: SchemaPolicy | str = SchemaPolicy.EVOLVE,
        models: str | None = None,
    ) -> PipelineOut:
        """Create a pipeline. Raises InvalidInputError, ConflictError, ConnectorError.

        >>> pipeline = demo.pipelines.create("nightly", models="daily_orders")
        >>> pipeline.connection is None
        True
        """
        given: dict[str, Any] = {
            "connection": connection,
            "streams": streams if streams == "all" else dict(streams),
            "table_prefix": table_prefix,
            "schema_policy": SchemaPolicy(schema_policy),
            "models": models,
        }
        return self._ask(
            lambda actor, slug: pipelines.create(actor, slug, name, **given),
            sent("POST", "pipelines", PipelineOut, {"name": name, **given}),
        )

    def get(self, name: str) -> PipelineOut:
        """One pipeline with its streams. Raises NotFoundError.

        >>> [stream.mode.value for stream in demo.pipelines.get("shop").streams][:1]
        ['incremental']
        """
        return self._scoped(
            lambda scope: pipelines.get(scope, name),
            sent("GET", at("pipelines", name), PipelineOut),
        )

    def list(self) -> tuple[PipelineOut, ...]:
        """All pipelines by name, without their streams.

        >>> [pipeline.name for pipeline in demo.pipelines.list()]
        [...'marketing'...'shop']
        """

        async def here(scope: OrgScope) -> tuple[PipelineOut, ...]:
            return (await pipelines.list_pipelines(scope)).items

        return self._scoped(here, whole("pipelines", PipelineOut))

    def update(
        self,
        name: str,
        *,
        streams: Streams | None = None,
        schema_policy: SchemaPolicy | str | None = None,
        models: str | None = None,
    ) -> PipelineOut:
        """Change what is given.

        >>> demo.pipelines.update("shop", schema_policy="evolve").schema_policy.value
        'evolve'
        """
        policy = SchemaPolicy(schema_policy) if schema_policy else None
        wanted: dict[str, Any] = {"streams": streams, "schema_policy": policy, "models": models}
        given = {name: value for name, value in wanted.items() if value is not None}
        return self._ask(
            lambda actor, slug: pipelines.update(actor, slug, name, **given),
            sent("PATCH", at("pipelines", name), PipelineOut, given),
        )

    def rename(self, name: str, new_name: str) -> PipelineOut:
        """Give it another name; history and schedule go with it, tables keep theirs.

        >>> pipeline = demo.pipelines.create("weekly", models="daily_orders")
        >>> demo.pipelines.rename("weekly", "every_week").name
        'every_week'
        >>> demo.pipelines.delete("every_week")
        """
        return self._scoped(
            lambda scope: renaming.rename_pipeline(scope, name, new_name),
            sent("PATCH", at("pipelines", name), PipelineOut, {"name": new_name}),
        )

    def pause(self, name: str) -> PipelineOut:
        """Stop its schedule.

        >>> demo.pipelines.pause("marketing").paused
        True
        """
        return self._scoped(
            lambda scope: pipelines.set_paused(scope, name, paused=True),
            sent("POST", at("pipelines", name, "pause"), PipelineOut),
        )

    def resume(self, name: str) -> PipelineOut:
        """Let its schedule go on.

        >>> demo.pipelines.resume("marketing").paused
        False
        """
        return self._scoped(
            lambda scope: pipelines.set_paused(scope, name, paused=False),
            sent("POST", at("pipelines", name, "resume"), PipelineOut),
        )

    def delete(self, name: str) -> None:
        """Delete it; loaded tables and the history of its runs stay.

        >>> pipeline = demo.pipelines.create("hourly", models="daily_orders")
        >>> demo.pipelines.delete("hourly")
        """
        self._ask(
            lambda actor, slug: pipelines.delete(actor, slug, name),
            nothing("DELETE", at("pipelines", name)),
        )


class Uploads(InOrg):
    """Files for `uploads://` connections."""

    def put(self, file: Path | str | BinaryIO, name: str | None = None) -> UploadOut:
        """Store a file, streamed; `name` is needed for an open file.

        >>> import io
        >>> demo.uploads.put(io.BytesIO(b"id\\n1\\n"), "ids.csv").size_bytes
        5
        """
        if isinstance(file, Path | str):
            with Path(file).open("rb") as content:
                return self.put(content, name or Path(file).name)
        stored = name or ""
        read = UploadOut.model_validate_json
        return self._scoped(
            lambda scope: uploads.put(scope, stored, file),
            Request("PUT", at("uploads", stored), read, content=lambda: file),
        )

    def list(self) -> list[UploadOut]:
        """All files by name.

        >>> [upload.name for upload in demo.uploads.list()]
        [...'marketing_spend.csv']
        """

        async def here(scope: OrgScope) -> tuple[UploadOut, ...]:
            return tuple(await uploads.list_uploads(scope))

        return [*self._scoped(here, whole("uploads", UploadOut))]

    def delete(self, name: str) -> None:
        """Remove a file; what was loaded from it stays.

        >>> import io
        >>> upload = demo.uploads.put(io.BytesIO(b"id\\n1\\n"), "old.csv")
        >>> demo.uploads.delete("old.csv")
        """
        self._scoped(
            lambda scope: uploads.delete(scope, name), nothing("DELETE", at("uploads", name))
        )
