"""Runs, schedules and dbt models of an org."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from etlfabric_dagster import storage
from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.schemas.dbt_models import DbtModelOut, ImportReport, TableResult
from etlfabric_dagster.schemas.pipelines import ScheduleOut
from etlfabric_dagster.schemas.runs import (
    ErrorInfo,
    LogLine,
    NodeResult,
    RunOut,
    RunSelection,
    RunStatus,
    StreamResult,
)
from etlfabric_dagster.services import (
    dbt_models,
    runs,
    schedules,
)
from etlfabric_dagster.services.scope import Actor, OrgScope

LOOK_S = 0.05


@dataclass
class Run(InOrg):
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


class Runs(InOrg):
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


class Schedules(InOrg):
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


class DbtModels(InOrg):
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
