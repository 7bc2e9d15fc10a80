"""One run, live: what it does now, what it did, its log.

The state holds what the page shows and no more: at most `TAIL` lines of the log and `PARTS` rows.
Filters, search and older lines are looked up in the stored log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import LogFilter, LogWindow, RunOut, RunStatus
from etlfabric_dagster.schemas.streams import LoadMode
from etlfabric_dagster.services import connections, dbt_models, pipelines, run_logs, runs
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats, routes, strings
from etlfabric_ui.state import run_story as story
from etlfabric_ui.state.base import PageState, dagster_at, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.runs import AttemptRow, LogRow, PartRow, Stage
from etlfabric_ui.views.shared import Moment, Problem

TAIL = 500
PARTS = 100
QUIET_S = 30
LEVELS = ("", "warning", "error")


class RunState(PageState, rx.State):
    """The run that the URL names."""

    id: str = ""
    short: str = ""
    pipeline: str = ""
    state: str = "queued"
    live: bool = False
    sentence: str = ""
    warned: str = ""
    """“2 warnings”."""
    quiet: str = ""
    """That nothing was heard for a while."""
    started: Moment = Moment()
    heard: Moment = Moment()
    facts: str = ""
    error: Problem = Problem()
    lost: str = ""
    first: str = ""
    """What the first good run of an org says."""
    dagster: str = ""
    before: str = ""
    """Id of the pipeline's run before this one; likewise the next."""
    after: str = ""
    attempts: list[AttemptRow] = []
    stages: list[Stage] = []
    parts: list[PartRow] = []
    parts_total: int = 0
    parts_page: int = 0
    parts_shown: str = ""
    log: list[LogRow] = []
    log_total: int = 0
    log_shown: str = ""
    older: int = 0
    newer: int = 0
    following: bool = True
    attempt: int = 0
    level: str = ""
    subject: str = ""
    search: str = ""
    query: str = ""
    """The filters, as the URL's query."""
    warnings: int = 0
    errors: int = 0
    at_line: int = -1
    _position: str = ""
    _plan: story.Plan = story.Plan()

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Everything about the run; a failed one opens its log at the first error."""
        self.problem, self.busy, self.subject, self.search = Problem(), "", "", ""
        self.following, self.at_line, self.parts_page, self.first = True, -1, 0, ""
        self._read_url()
        async with org_scope(visit.actor, visit.org) as scope:
            run = await runs.get(scope, _id(self.run_id))  # pyright: ignore
            self._plan = await _plan_of(scope, run)
            before, after = await runs.neighbors(scope, run.id)
            self.before, self.after = str(before or ""), str(after or "")
            await self._show(scope, run, anew=True)
            await self._open_log(scope, run)
        self.loaded = True

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What is new since the last look."""
        if not (self.loaded and self.live):
            return
        async with org_scope(visit.actor, visit.org) as scope:
            run = await runs.get(scope, UUID(self.id))  # first: what it wrote before is there
            await self._follow(scope)
            await self._show(scope, run)

    @rx.event
    @guarded(Role.VIEWER)
    async def filter_log(self, visit: Visit, level: str, subject: str) -> None:
        """Only warnings, only errors, or only one stream."""
        self.level, self.subject = level if level in LEVELS else "", subject[:200]
        await self._newest(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def search_log(self, visit: Visit, search: str) -> None:
        """Lines that contain it, of the whole log."""
        self.search = search[:200]
        await self._newest(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def clear_log(self, visit: Visit) -> None:
        """Every line again."""
        self.level = self.subject = self.search = ""
        await self._newest(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def pick_attempt(self, visit: Visit, number: str) -> None:
        """One try's lines; 0 = of all."""
        self.attempt = int(number) if number.isdecimal() else 0
        await self._newest(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def see_older(self, visit: Visit) -> None:
        """The lines before those that are shown; the log stands still then."""
        async with org_scope(visit.actor, visit.org) as scope:
            await self._open_at(scope, self.older)

    @rx.event
    @guarded(Role.VIEWER)
    async def see_newer(self, visit: Visit) -> None:
        """The lines behind those that are shown."""
        async with org_scope(visit.actor, visit.org) as scope:
            await self._open_at(scope, self.older + len(self.log) + TAIL)

    @rx.event
    @guarded(Role.VIEWER)
    async def see_newest(self, visit: Visit) -> None:
        """The end of the log, and follow it."""
        await self._newest(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def turn_parts(self, visit: Visit, by: int) -> None:
        """Another page of streams and dbt models."""
        pages = -(-self.parts_total // PARTS)
        self.parts_page = min(max(0, self.parts_page + (1 if by > 0 else -1)), max(0, pages - 1))
        async with org_scope(visit.actor, visit.org) as scope:
            self._show_parts(await runs.get(scope, UUID(self.id)))

    @rx.event
    @guarded(Role.EDITOR)
    async def cancel(self, visit: Visit) -> None:
        """Finished streams stay loaded."""
        async with org_scope(visit.actor, visit.org) as scope:
            await self._show(scope, await runs.request_cancel(scope, _id(self.run_id)))  # pyright: ignore

    @rx.event
    @guarded(Role.EDITOR)
    async def retry(self, visit: Visit) -> Any:
        """The same again, as a new run."""
        async with org_scope(visit.actor, visit.org) as scope:
            again = await runs.retry(scope, _id(self.run_id))  # pyright: ignore
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=again.id))

    async def _show(self, scope: OrgScope, run: RunOut, *, anew: bool = False) -> None:
        going = 0
        if run.status is RunStatus.QUEUED:
            going = len((await runs.list_runs(scope, status=RunStatus.RUNNING)).items)
        if run.status is RunStatus.SUCCEEDED and (self.live or anew):
            self.first = await _first(scope, run)
        self._set(
            id=str(run.id),
            short=str(run.id)[:8],
            pipeline=run.pipeline,
            state=str(run.status),
            live=not run.status.is_final,
            sentence=story.sentence(run, going),
            warned=story.warnings(run),
            facts=story.facts(run),
            started=moment(run.started_at),
            error=story.failure(run, scope.slug, self._plan.connection),
            lost=story.lost(run),
            attempts=story.attempts(run),
            stages=story.stages(run, self._plan),
            quiet=self._quiet(run),
            dagster=self._dagster(run) if scope.actor.is_operator else "",
        )
        self._show_parts(run)

    def _show_parts(self, run: RunOut) -> None:
        rows = story.parts(run, self._plan)
        shown = story.page_of(rows, self.parts_page, PARTS)
        first = self.parts_page * PARTS
        said = ""
        if len(rows) > PARTS:
            span = f"{first + 1:,}–{first + len(shown):,}"
            said = formats.share(span, formats.exact(len(rows)))
        self._set(parts=shown, parts_total=len(rows), parts_shown=said)

    async def _open_log(self, scope: OrgScope, run: RunOut) -> None:
        await self._open_at(scope, None)
        line = self.router.url.query_parameters.get("line", "")
        if line.isdecimal():
            await self._open_at(scope, int(line) + TAIL // 2, focus=int(line))
        elif run.status is RunStatus.FAILED and self.errors and self.level == "":
            found = await self._window(scope)
            if found.first_error is not None:
                await self._open_at(scope, found.first_error + TAIL // 2, focus=found.first_error)

    async def _newest(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            await self._open_at(scope, None)
        self._name_filters()

    async def _open_at(self, scope: OrgScope, until: int | None, focus: int = -1) -> None:
        """Lines before number `until`; None = the newest, followed from here on."""
        if until is not None and until >= self.log_total:
            until = None
        found = await self._window(scope, until)
        self._position = found.position
        rows = [story.log_row(n, line) for n, line in enumerate(found.items, start=found.first)]
        self._set(log=rows, log_total=found.total, warnings=found.warnings, errors=found.errors)
        self.following, self.at_line = until is None and focus < 0, focus
        if found.items:
            self.heard = moment(found.items[-1].at)
        self._count()

    async def _follow(self, scope: OrgScope) -> None:
        """Add what came since; where one reads older lines, only count it."""
        found = await self._window(scope, after=self._position)
        if found.position == self._position:
            return
        self._position = found.position
        self.warnings, self.errors = self.warnings + found.warnings, self.errors + found.errors
        if self.older + len(self.log) == self.log_total:
            start = self.log_total + found.first
            new = [story.log_row(n, line) for n, line in enumerate(found.items, start=start)]
            if new:
                self.log = [*self.log, *new][-TAIL:]
        self.log_total += found.total
        if found.items:
            self.heard = moment(found.items[-1].at)
        self._count()

    async def _window(
        self, scope: OrgScope, until: int | None = None, after: str = ""
    ) -> LogWindow:
        wanted = LogFilter(
            attempt=self.attempt or None,
            level=self.level,
            subject=self.subject,
            search=self.search,
        )
        return await run_logs.window(
            scope, UUID(self.id), wanted, until=until, after=after, limit=TAIL
        )

    def _count(self) -> None:
        older = self.log[0].number if self.log else 0
        newer = self.log_total - older - len(self.log)
        said = f"Newest {TAIL} of {self.log_total:,} lines"
        if newer:
            said = f"Lines {older + 1:,}–{older + len(self.log):,} of {self.log_total:,}"
        elif not older:
            said = formats.plural(self.log_total, "line")
        self._set(older=older, newer=newer, log_shown=said)

    def _quiet(self, run: RunOut) -> str:
        if run.status is not RunStatus.RUNNING or not self.heard.iso:
            return ""
        moments = [one.started_at for one in run.attempts]
        since = max([datetime.fromisoformat(self.heard.iso), *moments])
        passed = (clock.now() - since).total_seconds()
        return strings.STILL.format(time=formats.duration(passed)) if passed > QUIET_S else ""

    def _dagster(self, run: RunOut) -> str:
        """Dagster's page of the newest attempt."""
        if not run.attempts:
            return ""
        return f"{dagster_at(str(self.router.url))}/runs/{run.attempts[-1].dagster_run_id}"

    def _set(self, **values: Any) -> None:
        """Only what changed is sent to the browser."""
        for name, value in values.items():
            if getattr(self, name) != value:
                setattr(self, name, value)

    def _read_url(self) -> None:
        query = self.router.url.query_parameters
        level, attempt = query.get("log", ""), query.get("attempt", "")
        self.level = level.removesuffix("s") if level.removesuffix("s") in LEVELS else ""
        self.attempt = int(attempt) if attempt.isdecimal() else 0
        self.search = query.get("search", "")[:200]
        self._name_filters()

    def _name_filters(self) -> None:
        """Filters live in the URL, where panel.js puts them; the page is not loaded anew for it."""
        facts = {
            "attempt": self.attempt or "",
            "log": f"{self.level}s" if self.level else "",
            "search": self.search,
        }
        self.query = urlencode({name: value for name, value in facts.items() if value})


async def _plan_of(scope: OrgScope, run: RunOut) -> story.Plan:
    """From the pipeline as it is now; from the run alone where it was deleted since."""
    try:
        found = await pipelines.get(scope, run.pipeline)
    except NotFoundError:
        return story.Plan(streams=list(run.streams))
    chosen = [one for one in found.streams if one.selected]
    if run.selection.streams is not None:
        chosen = [one for one in chosen if one.name in run.selection.streams]
    totals: dict[str, int] = {}
    if found.connection and not run.status.is_final:
        discovery = await connections.last_discovery(scope, found.connection)
        whole = {
            one.name
            for one in chosen
            if one.mode is LoadMode.FULL or not one.tables or one.name in run.selection.full_refresh
        }
        totals = {
            one.name: one.row_estimate
            for one in discovery.streams
            if one.name in whole and one.row_estimate
        }
    nodes = list(map(story.named, await dbt_models.nodes_of(scope, run.pipeline)))
    return story.Plan(found.connection or "", [one.name for one in chosen], nodes, totals)


async def _first(scope: OrgScope, run: RunOut) -> str:
    """What the org's first good run says; "" for any other."""
    good = await runs.list_runs(scope, status=RunStatus.SUCCEEDED, limit=2)
    return story.ready(run) if [one.id for one in good.items] == [run.id] else ""


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise NotFoundError(f"There is no run {text[:40]}.", "List the runs.") from exc
