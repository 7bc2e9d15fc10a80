"""The Python API: a thin, synchronous face over the services.

    with Fabric.connect() as fabric:
        acme = fabric.orgs.create("acme", name="Acme Inc.")

Every method blocks; every refusal is a `FabricError` with a message and a remedy.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, TypeVar
from uuid import UUID

from etlfabric_dagster import storage
from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.db import dispose
from etlfabric_dagster.erasure import erase_org
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.connections import ConnectionOut, UploadOut
from etlfabric_dagster.schemas.dbt_models import DbtModelOut, ImportReport, TableResult
from etlfabric_dagster.schemas.orgs import BiCredentials, EraseReport, OrgOut, TokenOut, UserOut
from etlfabric_dagster.schemas.pipelines import PipelineOut, ScheduleOut
from etlfabric_dagster.schemas.runs import (
    ErrorInfo,
    LogLine,
    NodeResult,
    RunOut,
    RunSelection,
    RunStatus,
    StreamResult,
)
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, SchemaPolicy
from etlfabric_dagster.services import (
    connections,
    dbt_models,
    orgs,
    pipelines,
    runs,
    schedules,
    uploads,
    users,
)
from etlfabric_dagster.services.scope import OPERATOR, Actor, OrgScope, org_scope

T = TypeVar("T")
Streams = Mapping[str, Any] | Literal["all"]

LOOK_S = 0.05


class Fabric:
    """An install, as its operator. Use as a context manager: it holds database connections."""

    def __init__(self, actor: Actor = OPERATOR) -> None:
        self._actor = actor
        self.orgs = Orgs(actor)
        self.users = Users(actor)

    @classmethod
    def connect(cls) -> Fabric:
        """The install that the settings name (`ETLFABRIC_HOME` or `ETLFABRIC_DATABASE_URL`).

        >>> with Fabric.connect() as fabric:  # doctest: +SKIP
        ...     [org.slug for org in fabric.orgs.list()]
        ['demo']
        """
        return cls()

    def close(self) -> None:
        """Give back the database connections. Idempotent."""
        _run(dispose())

    def __enter__(self) -> Fabric:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Orgs:
    """Orgs of the install."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def create(self, slug: str, *, name: str) -> Org:
        """Create an org with its schemas and roles. Raises ConflictError when the slug is taken.

        >>> acme = fabric.orgs.create("acme", name="Acme Inc.")  # doctest: +SKIP
        """
        return Org(self._actor, _run(orgs.create(self._actor, slug, name)))

    def get(self, slug: str) -> Org:
        """One org. Raises NotFoundError."""
        return Org(self._actor, _run(orgs.get(self._actor, slug)))

    def list(self) -> list[Org]:
        """All orgs by slug."""
        found: list[Org] = []
        cursor: str | None = None
        while True:
            page = _run(orgs.list_orgs(self._actor, cursor))
            found += [Org(self._actor, org) for org in page.items]
            cursor = page.next
            if cursor is None:
                return found


class Users:
    """People of the install."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def create(self, email: str, *, operator: bool = False) -> UserOut:
        """Register a person. Raises ConflictError."""
        return _run(users.create(self._actor, email, operator=operator))

    def token(self, email: str) -> TokenOut:
        """Issue an API token, shown this once. Raises NotFoundError."""
        return _run(users.issue_token(self._actor, email))


class _InOrg:
    """What every part of an org shares: the actor and the slug."""

    def __init__(self, actor: Actor, slug: str) -> None:
        self._actor = actor
        self._slug = slug

    def _scoped(self, call: Callable[[OrgScope], Awaitable[T]]) -> T:
        async def inside() -> T:
            async with org_scope(self._actor, self._slug) as scope:
                return await call(scope)

        return _run(inside())


class Org(_InOrg):
    """One org. `info` is how it stood when it was fetched."""

    def __init__(self, actor: Actor, info: OrgOut) -> None:
        super().__init__(actor, info.slug)
        self.info = info
        self.connections = Connections(actor, info.slug)
        self.pipelines = Pipelines(actor, info.slug)
        self.runs = Runs(actor, info.slug)
        self.schedules = Schedules(actor, info.slug)
        self.dbt_models = DbtModels(actor, info.slug)
        self.uploads = Uploads(actor, info.slug)

    @property
    def slug(self) -> str:
        """The immutable name."""
        return self._slug

    def register_source(
        self,
        name: str,
        *,
        connector: str,
        config: Mapping[str, Any],
        credentials: Mapping[str, str] | None = None,
        streams: Streams = "all",
        schema_policy: SchemaPolicy | str = SchemaPolicy.EVOLVE,
        table_prefix: str | None = None,
    ) -> PipelineOut:
        """A connection and a pipeline of the same name.

        Raises InvalidInputError, ConflictError, ConnectorError. When the source cannot be
        discovered the connection is removed again.
        """
        self.connections.create(name, connector=connector, config=config, credentials=credentials)
        try:
            return self.pipelines.create(
                name,
                connection=name,
                streams=streams,
                schema_policy=schema_policy,
                table_prefix=table_prefix,
            )
        except FabricError:
            self.connections.delete(name)
            raise

    def query(self, sql: str, *, limit: int = 1000) -> TableResult:
        """Rows of a query, as the org's read-only login; search path marts, staging, raw.

        >>> acme.query("select count(*) from daily_orders").rows  # doctest: +SKIP
        ((365,),)
        """
        return _run(dbt_models.query(self._actor, self._slug, sql, limit=limit))

    def bi_credentials(self, *, roll: bool = False) -> BiCredentials:
        """The stable login for BI tools; with `roll` a new password."""
        return self._scoped(lambda scope: orgs.bi_credentials(scope, roll=roll))

    def suspend(self) -> None:
        """Cancel its runs, close its logins, skip its schedules. Data is kept."""
        self.info = _run(orgs.suspend(self._actor, self._slug))

    def resume(self) -> None:
        """Open it again."""
        self.info = _run(orgs.resume(self._actor, self._slug))

    def erase(self) -> EraseReport:
        """Remove it everywhere, Dagster's records included; reports what was there."""
        return erase_org(self._actor, self._slug)


class Connections(_InOrg):
    """Connections of an org."""

    def create(
        self,
        name: str,
        *,
        connector: str,
        config: Mapping[str, Any],
        credentials: Mapping[str, str] | None = None,
    ) -> ConnectionOut:
        """Store a connection; nothing is dialled. Raises InvalidInputError, ConflictError."""
        return self._scoped(
            lambda scope: connections.create(scope, name, connector, config, credentials)
        )

    def get(self, name: str) -> ConnectionOut:
        """One connection, without secrets. Raises NotFoundError."""
        return self._scoped(lambda scope: connections.get(scope, name))

    def list(self) -> tuple[ConnectionOut, ...]:
        """All connections by name."""
        return self._scoped(connections.list_connections).items

    def update(
        self,
        name: str,
        *,
        config: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> ConnectionOut:
        """Replace the config, and those credentials that are given."""
        return self._scoped(
            lambda scope: connections.update(scope, name, config=config, secrets=credentials)
        )

    def delete(self, name: str) -> None:
        """Delete it; loaded tables stay. Raises ConflictError while pipelines use it."""
        self._scoped(lambda scope: connections.delete(scope, name))

    def check(self, name: str) -> CheckResult:
        """Try it for real."""
        return _run(connections.check(self._actor, self._slug, name))

    def discover(self, name: str) -> tuple[DiscoveredStream, ...]:
        """What it offers. Raises ConnectorError."""
        return _run(connections.discover(self._actor, self._slug, name)).streams


class Pipelines(_InOrg):
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
        """Create a pipeline. Raises InvalidInputError, ConflictError, ConnectorError."""
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
        """One pipeline with its streams. Raises NotFoundError."""
        return self._scoped(lambda scope: pipelines.get(scope, name))

    def list(self) -> tuple[PipelineOut, ...]:
        """All pipelines by name, without their streams."""
        return self._scoped(pipelines.list_pipelines).items

    def update(
        self,
        name: str,
        *,
        streams: Streams | None = None,
        schema_policy: SchemaPolicy | str | None = None,
        models: str | None = None,
    ) -> PipelineOut:
        """Change what is given."""
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
        """Stop its schedule."""
        return self._scoped(lambda scope: pipelines.set_paused(scope, name, paused=True))

    def resume(self, name: str) -> PipelineOut:
        """Let its schedule go on."""
        return self._scoped(lambda scope: pipelines.set_paused(scope, name, paused=False))

    def delete(self, name: str) -> None:
        """Delete it; loaded tables and the history of its runs stay."""
        _run(pipelines.delete(self._actor, self._slug, name))


@dataclass
class Run(_InOrg):
    """A run, as it stood when it was last looked at; `refresh` and `wait` look again."""

    _actor: Actor
    _slug: str
    info: RunOut

    @property
    def id(self) -> UUID:
        """The run's id; also the id of its first attempt's Dagster run."""
        return self.info.id

    @property
    def status(self) -> RunStatus:
        """queued, running, succeeded, failed or canceled."""
        return self.info.status

    @property
    def rows_loaded(self) -> int:
        """Rows that reached the raw schema."""
        return self.info.rows_loaded

    @property
    def streams(self) -> dict[str, StreamResult]:
        """How each stream stands."""
        return self.info.streams

    @property
    def models(self) -> dict[str, NodeResult]:
        """How each dbt model and test ended."""
        return self.info.models

    @property
    def error(self) -> ErrorInfo | None:
        """Why it failed, with the remedy."""
        return self.info.error

    def refresh(self) -> Run:
        """Look again."""
        self.info = self._scoped(lambda scope: runs.get(scope, self.info.id))
        return self

    def wait(self, timeout_s: float | None = None) -> Run:
        """Until it has ended. Raises TimeoutError; the run goes on then.

        >>> acme.runs.start("shop").wait(timeout_s=120).status  # doctest: +SKIP
        <RunStatus.SUCCEEDED: 'succeeded'>
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not (_run(runs.status_of(self.id)) or RunStatus.CANCELED).is_final:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Run {self.id} has not ended within {timeout_s} s.")
            time.sleep(LOOK_S)
        return self.refresh()

    def cancel(self) -> Run:
        """Cancel it. Raises ConflictError when it has ended."""
        self.info = self._scoped(lambda scope: runs.request_cancel(scope, self.info.id))
        return self

    def retry(self) -> Run:
        """The same again, as a new run."""
        again = self._scoped(lambda scope: runs.retry(scope, self.info.id))
        return Run(self._actor, self._slug, again)

    def logs(self) -> list[LogLine]:
        """All log lines so far, oldest first."""

        async def org_id(scope: OrgScope) -> UUID:
            return scope.org_id

        return storage.read_log(self._scoped(org_id), self.id)[0]


class Runs(_InOrg):
    """Runs of an org."""

    def start(
        self,
        pipeline: str,
        *,
        streams: tuple[str, ...] | None = None,
        full_refresh: tuple[str, ...] = (),
    ) -> Run:
        """Queue a run. Raises NotFoundError, OrgSuspendedError, InvalidInputError."""
        selection = RunSelection(streams=streams, full_refresh=full_refresh)
        started = self._scoped(lambda scope: runs.start(scope, pipeline, selection=selection))
        return Run(self._actor, self._slug, started)

    def get(self, run_id: UUID | str) -> Run:
        """One run. Raises NotFoundError."""
        found = self._scoped(lambda scope: runs.get(scope, UUID(str(run_id))))
        return Run(self._actor, self._slug, found)

    def list(
        self, *, pipeline: str | None = None, status: RunStatus | None = None
    ) -> Iterator[Run]:
        """Runs, newest first, fetched page by page."""
        cursor: str | None = None
        while True:
            page = self._page(pipeline, status, cursor)
            yield from (Run(self._actor, self._slug, found) for found in page.items)
            cursor = page.next
            if cursor is None:
                return

    def _page(self, pipeline: str | None, status: RunStatus | None, cursor: str | None) -> Any:
        return self._scoped(
            lambda scope: runs.list_runs(scope, pipeline=pipeline, status=status, cursor=cursor)
        )


class Schedules(_InOrg):
    """Schedules of an org."""

    def set(
        self,
        pipeline: str,
        *,
        cron: str | None = None,
        interval_s: int | None = None,
        timezone: str = "UTC",
    ) -> ScheduleOut:
        """Give a pipeline its schedule: five cron fields or an interval, in an IANA zone."""
        return self._scoped(
            lambda scope: schedules.set_schedule(
                scope, pipeline, cron=cron, interval_s=interval_s, timezone=timezone
            )
        )

    def remove(self, pipeline: str) -> None:
        """Remove it; runs can still be started by hand."""
        self._scoped(lambda scope: schedules.remove(scope, pipeline))

    def list(self) -> tuple[ScheduleOut, ...]:
        """All schedules."""
        return self._scoped(schedules.list_schedules).items


class DbtModels(_InOrg):
    """The org's dbt project."""

    def put(self, path: str, *, sql: str) -> DbtModelOut:
        """Store a file (SQL, YAML or CSV); parsed first. Raises TransformError, InvalidInputError.

        >>> acme.dbt_models.put("marts/one.sql", sql="select 1 as one")  # doctest: +SKIP
        """
        return _run(dbt_models.put(self._actor, self._slug, path, sql))

    def get(self, path: str) -> DbtModelOut:
        """One file with its content. Raises NotFoundError."""
        return self._scoped(lambda scope: dbt_models.get(scope, path))

    def list(self) -> tuple[DbtModelOut, ...]:
        """All files by path, generated ones included."""
        return self._scoped(dbt_models.list_models).items

    def delete(self, path: str) -> None:
        """Delete a file; refused while others refer to it."""
        _run(dbt_models.delete(self._actor, self._slug, path))

    def preview(self, path: str, *, limit: int = 20) -> TableResult:
        """First rows of a model, run read-only."""
        return _run(dbt_models.preview(self._actor, self._slug, path, limit=limit))

    def import_project(self, files: Mapping[str, bytes]) -> ImportReport:
        """Take an existing dbt project: path → content."""
        return _run(dbt_models.import_project(self._actor, self._slug, files))


class Uploads(_InOrg):
    """Files for `uploads://` connections."""

    def put(self, file: Path | str | BinaryIO, name: str | None = None) -> UploadOut:
        """Store a file, streamed; `name` is needed for an open file."""
        if isinstance(file, Path | str):
            with Path(file).open("rb") as content:
                return self.put(content, name or Path(file).name)
        stored = name or ""
        return self._scoped(lambda scope: uploads.put(scope, stored, file))

    def list(self) -> list[UploadOut]:
        """All files by name."""
        return self._scoped(uploads.list_uploads)

    def delete(self, name: str) -> None:
        """Remove a file; what was loaded from it stays."""
        self._scoped(lambda scope: uploads.delete(scope, name))
