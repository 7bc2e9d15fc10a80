"""Runs and schedules of an org."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.fabric.gateway import Gateway, Request, at, nothing, sent, whole
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.pipelines import ScheduleOut
from etlfabric_dagster.schemas.runs import (
    ErrorInfo,
    LogLine,
    NodeResult,
    RunOut,
    RunSelection,
    RunStatus,
    StreamResult,
    Trigger,
)
from etlfabric_dagster.services import run_logs, runs, schedules
from etlfabric_dagster.services.scope import OrgScope

LINES = 5000


@dataclass
class Run(InOrg):
    """A run, as it stood when it was last looked at; `refresh` and `wait` look again."""

    _gateway: Gateway
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
        """Look again.

        >>> run = next(demo.runs.list(pipeline="marketing"))
        >>> run.refresh().id == run.id
        True
        """
        self.info = self._scoped(
            lambda scope: runs.get(scope, self.info.id), sent("GET", self._path(), RunOut)
        )
        return self

    def wait(self, timeout_s: float | None = None) -> Run:
        """Until it has ended. Raises TimeoutError; the run goes on then.

        >>> run = demo.runs.start("marketing").wait(timeout_s=120)
        >>> run.status.value
        'succeeded'
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not (self._status() or RunStatus.CANCELED).is_final:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"Run {self.id} has not ended within {timeout_s} s.")
            time.sleep(self._gateway.look_s)
        return self.refresh()

    def cancel(self) -> Run:
        """Cancel it. Raises ConflictError when it has ended.

        >>> run = demo.runs.start("marketing").cancel()
        >>> run.wait(timeout_s=120).status.value
        'canceled'
        """
        self.info = self._scoped(
            lambda scope: runs.request_cancel(scope, self.info.id),
            sent("POST", self._path("cancel"), RunOut),
        )
        return self

    def retry(self) -> Run:
        """The same again, as a new run.

        >>> run = demo.runs.start("marketing").wait(timeout_s=120)
        >>> run.retry().wait(timeout_s=120).info.trigger.value
        'retry'
        """
        again = self._scoped(
            lambda scope: runs.retry(scope, self.info.id),
            sent("POST", self._path("retry"), RunOut),
        )
        return Run(self._gateway, self._slug, again)

    def logs(self) -> list[LogLine]:
        """All log lines so far, oldest first.

        >>> run = demo.runs.start("marketing").wait(timeout_s=120)
        >>> run.logs()[0].message
        'Loading spend.'
        """

        lines: list[LogLine] = []
        after = ""
        while True:
            page = self._log_page(after)
            lines += page.items
            if not page.items or page.next is None:
                return lines
            after = page.next

    def _log_page(self, after: str) -> run_logs.LogPage:
        return self._scoped(
            lambda scope: run_logs.page(scope, self.id, attempt=None, after=after, limit=LINES),
            sent("GET", self._path("logs"), run_logs.LogPage, after=after, limit=LINES),
        )

    def _status(self) -> RunStatus | None:
        def read(body: bytes) -> RunStatus | None:
            return RunOut.model_validate_json(body).status

        there = Request("GET", self._path(), read)
        return self._ask(lambda _actor, _slug: runs.status_of(self.id), there)

    def _path(self, *parts: str) -> str:
        return at("runs", self.info.id, *parts)


class Runs(InOrg):
    """Runs of an org."""

    def start(
        self,
        pipeline: str,
        *,
        streams: tuple[str, ...] | None = None,
        full_refresh: tuple[str, ...] = (),
    ) -> Run:
        """Queue a run. Raises NotFoundError, OrgSuspendedError, InvalidInputError.

        >>> run = demo.runs.start("shop", streams=("orders",)).wait(timeout_s=120)
        >>> list(run.streams)
        ['orders']
        """
        selection = RunSelection(streams=streams, full_refresh=full_refresh)
        body = {"pipeline": pipeline, "selection": selection.model_dump(mode="json")}
        started = self._scoped(
            lambda scope: runs.start(scope, pipeline, selection=selection),
            sent("POST", "runs", RunOut, body),
        )
        return Run(self._gateway, self._slug, started)

    def get(self, run_id: UUID | str) -> Run:
        """One run. Raises NotFoundError.

        >>> run = next(demo.runs.list())
        >>> demo.runs.get(run.id).info.pipeline == run.info.pipeline
        True
        """
        found = self._scoped(
            lambda scope: runs.get(scope, UUID(str(run_id))),
            sent("GET", at("runs", run_id), RunOut),
        )
        return Run(self._gateway, self._slug, found)

    def list(
        self,
        *,
        pipeline: str | None = None,
        status: RunStatus | None = None,
        trigger: Trigger | None = None,
    ) -> Iterator[Run]:
        """Runs, newest first, fetched page by page.

        >>> {run.info.pipeline for run in demo.runs.list(pipeline="shop")}
        {'shop'}
        """
        cursor: str | None = None
        while True:
            page = self._page(pipeline=pipeline, status=status, trigger=trigger, cursor=cursor)
            yield from (Run(self._gateway, self._slug, found) for found in page.items)
            cursor = page.next
            if cursor is None:
                return

    def _page(self, **asked: Any) -> Page[RunOut]:
        return self._scoped(
            lambda scope: runs.list_runs(scope, **asked),
            sent("GET", "runs", Page[RunOut], **asked),
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
        jitter_s: int = 0,
    ) -> ScheduleOut:
        """Give a pipeline its schedule: five cron fields or an interval, in an IANA zone.

        With a jitter it fires up to so many seconds later, always by the same delay.

        >>> schedule = demo.schedules.set("shop", cron="0 6 * * 1-5", timezone="Europe/Berlin")
        >>> schedule.cron, schedule.timezone
        ('0 6 * * 1-5', 'Europe/Berlin')
        """
        body = {"cron": cron, "interval_s": interval_s, "timezone": timezone, "jitter_s": jitter_s}
        return self._scoped(
            lambda scope: schedules.set_schedule(
                scope,
                pipeline,
                cron=cron,
                interval_s=interval_s,
                timezone=timezone,
                jitter_s=jitter_s,
            ),
            sent("PUT", at("schedules", pipeline), ScheduleOut, body),
        )

    def remove(self, pipeline: str) -> None:
        """Remove it; runs can still be started by hand.

        >>> schedule = demo.schedules.set("marketing", interval_s=86400)
        >>> demo.schedules.remove("marketing")
        """
        self._scoped(
            lambda scope: schedules.remove(scope, pipeline),
            nothing("DELETE", at("schedules", pipeline)),
        )

    def list(self) -> tuple[ScheduleOut, ...]:
        """All schedules.

        >>> schedule = demo.schedules.set("shop", cron="0 6 * * 1-5")
        >>> [schedule.pipeline for schedule in demo.schedules.list()]
        ['shop']
        """

        async def here(scope: OrgScope) -> tuple[ScheduleOut, ...]:
            return (await schedules.list_schedules(scope)).items

        return self._scoped(here, whole("schedules", ScheduleOut))
