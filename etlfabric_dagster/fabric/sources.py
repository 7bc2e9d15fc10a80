"""Connections, pipelines and uploads of an org."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.fabric.base import InOrg, Streams
from etlfabric_dagster.schemas.connections import ConnectionOut, UploadOut
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, SchemaPolicy
from etlfabric_dagster.services import (
    connections,
    pipelines,
    uploads,
)


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
        return self._scoped(
            lambda scope: connections.create(scope, name, connector, config, credentials)
        )

    def get(self, name: str) -> ConnectionOut:
        """One connection, without secrets. Raises NotFoundError.

        >>> demo.connections.get("shop").secrets
        ('password',)
        """
        return self._scoped(lambda scope: connections.get(scope, name))

    def list(self) -> tuple[ConnectionOut, ...]:
        """All connections by name.

        >>> [connection.name for connection in demo.connections.list()]
        [...'marketing'...'shop']
        """
        return self._scoped(connections.list_connections).items

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
        return self._scoped(
            lambda scope: connections.update(scope, name, config=config, secrets=credentials)
        )

    def delete(self, name: str) -> None:
        """Delete it; loaded tables stay. Raises ConflictError while pipelines use it.

        >>> config = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}
        >>> connection = demo.connections.create("old_crm", connector="rest_api", config=config)
        >>> demo.connections.delete("old_crm")
        """
        self._scoped(lambda scope: connections.delete(scope, name))

    def check(self, name: str) -> CheckResult:
        """Try it for real.

        >>> result = demo.connections.check("shop")
        >>> result.ok, result.cause
        (True, '')
        """
        return _run(connections.check(self._actor, self._slug, name))

    def discover(self, name: str) -> tuple[DiscoveredStream, ...]:
        """What it offers. Raises ConnectorError.

        >>> [stream.name for stream in demo.connections.discover("marketing")]
        ['spend']
        """
        return _run(connections.discover(self._actor, self._slug, name)).streams


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
        return _run(
            pipelines.create(
                self._actor,
                self._slug,
                name,
                connection=connection,
                streams=streams,
                table_prefix=table_prefix,
                schema_policy=SchemaPolicy(schema_policy),
                models=models,
            )
        )

    def get(self, name: str) -> PipelineOut:
        """One pipeline with its streams. Raises NotFoundError.

        >>> [stream.mode.value for stream in demo.pipelines.get("shop").streams][:1]
        ['incremental']
        """
        return self._scoped(lambda scope: pipelines.get(scope, name))

    def list(self) -> tuple[PipelineOut, ...]:
        """All pipelines by name, without their streams.

        >>> [pipeline.name for pipeline in demo.pipelines.list()]
        [...'marketing'...'shop']
        """
        return self._scoped(pipelines.list_pipelines).items

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
        return _run(
            pipelines.update(
                self._actor,
                self._slug,
                name,
                streams=streams,
                schema_policy=policy,
                models=models,
            )
        )

    def pause(self, name: str) -> PipelineOut:
        """Stop its schedule.

        >>> demo.pipelines.pause("marketing").paused
        True
        """
        return self._scoped(lambda scope: pipelines.set_paused(scope, name, paused=True))

    def resume(self, name: str) -> PipelineOut:
        """Let its schedule go on.

        >>> demo.pipelines.resume("marketing").paused
        False
        """
        return self._scoped(lambda scope: pipelines.set_paused(scope, name, paused=False))

    def delete(self, name: str) -> None:
        """Delete it; loaded tables and the history of its runs stay.

        >>> pipeline = demo.pipelines.create("hourly", models="daily_orders")
        >>> demo.pipelines.delete("hourly")
        """
        _run(pipelines.delete(self._actor, self._slug, name))


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
        return self._scoped(lambda scope: uploads.put(scope, stored, file))

    def list(self) -> list[UploadOut]:
        """All files by name.

        >>> [upload.name for upload in demo.uploads.list()]
        [...'marketing_spend.csv']
        """
        return self._scoped(uploads.list_uploads)

    def delete(self, name: str) -> None:
        """Remove a file; what was loaded from it stays.

        >>> import io
        >>> upload = demo.uploads.put(io.BytesIO(b"id\\n1\\n"), "old.csv")
        >>> demo.uploads.delete("old.csv")
        """
        self._scoped(lambda scope: uploads.delete(scope, name))
