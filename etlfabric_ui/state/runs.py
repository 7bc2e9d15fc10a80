"""The list of runs: filtered and paged on the server; what one looks at stays where it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.errors import ConflictError
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import RunOut, RunStatus, Trigger
from etlfabric_dagster.services import pipelines, runs
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats
from etlfabric_ui.state.base import PageState, query_of
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.state.words import run_row
from etlfabric_ui.views.runs import RunRow
from etlfabric_ui.views.shared import Problem

PAGE = 50
NAMES = 500
"""Pipelines to choose from; a link may name any other."""
SPANS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
FILTERS = ("status", "pipeline", "trigger", "since")
Place = tuple[datetime, UUID]


class RunsState(PageState, rx.State):
    """The runs of an org, newest first."""

    rows: list[RunRow] = []
    pipelines: list[str] = []
    status: str = ""
    pipeline: str = ""
    trigger: str = ""
    since: str = ""
    cursor: str = ""
    query: str = ""
    """Filters and page, as the URL's query. Likewise the next two, of other pages."""
    newest: str = ""
    older: str = ""
    waiting: str = ""
    """“3 new runs ↑”: queued after those that are shown."""
    selected: list[str] = []
    asking: bool = False
    """Whether those selected shall be canceled."""
    _top: Place | None = None
    """Of the newest run that is shown."""

    @rx.var
    def filtered(self) -> bool:
        """Whether the URL keeps some runs from being shown."""
        # each by its name: what is looked up is told from the source
        return bool(self.status or self.pipeline or self.trigger or self.since)

    @rx.var
    def going(self) -> int:
        """Selected ones that can be canceled."""
        return sum(one.live for one in self.rows if one.id in self.selected)

    @rx.var
    def ended(self) -> int:
        """Selected ones that can be retried."""
        return sum(not one.live for one in self.rows if one.id in self.selected)

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read the page that the URL names."""
        self.problem, self.selected, self.asking = Problem(), [], False
        query = self.router.url.query_parameters
        for name in (*FILTERS, "cursor"):
            setattr(self, name, query.get(name, "")[:200])
        async with org_scope(visit.actor, visit.org) as scope:
            known = (await pipelines.list_pipelines(scope, limit=NAMES)).items
        names = [one.name for one in known]
        self.pipelines = sorted({*names, self.pipeline} - {""})
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """How those that are shown go on, and how many wait above; an older page stays."""
        if self.loaded and not self.cursor:
            await self._follow(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def show_new(self, visit: Visit) -> None:
        """Those that came meanwhile."""
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def filter(self, visit: Visit, name: str, value: str) -> None:
        """Back to the first page, with this filter in the URL."""
        if name in FILTERS:
            setattr(self, name, value[:60])
        self.cursor, self.selected = "", []
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def clear(self, visit: Visit) -> None:
        """Without filters."""
        for name in (*FILTERS, "cursor"):
            setattr(self, name, "")
        await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def select(self, _visit: Visit, run_id: str, on: bool) -> None:
        """Tick a run that is shown."""
        rest = [one for one in self.selected if one != run_id]
        known = run_id in {one.id for one in self.rows}
        self.selected = [*rest, run_id] if on and known else rest

    @rx.event
    @guarded(Role.EDITOR)
    async def select_all(self, _visit: Visit, on: bool) -> None:
        """Tick all that are shown, or none."""
        self.selected = [one.id for one in self.rows] if on else []

    @rx.event
    @guarded(Role.EDITOR)
    async def ask_cancel(self, _visit: Visit, asking: bool) -> None:
        """Open or close the question."""
        self.asking = asking and self.going > 0

    @rx.event
    @guarded(Role.EDITOR)
    async def retry(self, visit: Visit) -> Any:
        """Those selected that have ended, anew: all, or none where one is refused."""
        ended = [one.id for one in self.rows if one.id in self.selected and not one.live]
        count = await self._each(visit, ended, runs.retry)
        return done(f"{formats.plural(count, 'run')} queued again.")

    @rx.event
    @guarded(Role.EDITOR)
    async def cancel(self, visit: Visit) -> Any:
        """Those selected that still go; one that has ended meanwhile is left as it is."""
        self.asking = False
        going = [one.id for one in self.rows if one.id in self.selected and one.live]
        count = await self._each(visit, going, runs.request_cancel)
        return done(f"{formats.plural(count, 'run')} canceled.")

    async def _each(
        self, visit: Visit, ids: list[str], act: Callable[[OrgScope, UUID], Awaitable[RunOut]]
    ) -> int:
        """How many of them it did, in one transaction."""
        self.problem, count = Problem(), 0
        async with org_scope(visit.actor, visit.org) as scope:
            for one in reversed(ids):  # the oldest first, as they were queued
                try:
                    await act(scope, UUID(one))
                except ConflictError:  # its state has changed since it was shown
                    continue
                count += 1
        self.selected = []
        await self._read(visit)
        return count

    async def _read(self, visit: Visit) -> None:
        page = await self._page(visit, PAGE)
        self._show(page.items)
        self._top = _place(page.items[0]) if page.items else None
        filters = {name: getattr(self, name) for name in FILTERS}
        self.query, self.newest = query_of(**filters, cursor=self.cursor), query_of(**filters)
        self.older = query_of(**filters, cursor=page.next) if page.next else ""
        self.waiting, self.loaded = "", True

    async def _follow(self, visit: Visit) -> None:
        """The rows stand still under the eye: what is new waits until it is asked for."""
        if self._top is None:
            await self._read(visit)
            return
        found = (await self._page(visit, 2 * PAGE)).items
        new = sum(_place(one) > self._top for one in found)
        if new <= PAGE:
            self._show(found[new:][:PAGE])
        several = f"More than {PAGE} new runs" if new > PAGE else formats.plural(new, "new run")
        self.waiting = f"{several} ↑" if new else ""

    def _show(self, found: tuple[RunOut, ...]) -> None:
        rows = [run_row(one) for one in found]
        if rows != self.rows or not self.loaded:
            self.rows = rows
            shown = {one.id for one in rows}
            self.selected = [one for one in self.selected if one in shown]

    async def _page(self, visit: Visit, limit: int) -> Page[RunOut]:
        span = SPANS.get(self.since)
        async with org_scope(visit.actor, visit.org) as scope:
            return await runs.list_runs(
                scope,
                pipeline=self.pipeline or None,
                status=RunStatus(self.status) if self.status in tuple(RunStatus) else None,
                trigger=Trigger(self.trigger) if self.trigger in tuple(Trigger) else None,
                since=clock.now() - span if span else None,
                cursor=self.cursor or None,
                limit=limit,
            )


def _place(run: RunOut) -> Place:
    return run.created_at, run.id
