"""A pipeline's streams: choices gather, are tried dry, and are saved together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import reflex as rx

from etlfabric_dagster.errors import EditedMeanwhileError, FabricError, NotFoundError
from etlfabric_dagster.schemas.data import DataLayer
from etlfabric_dagster.schemas.discovered import EditPlan
from etlfabric_dagster.schemas.naming import shortened, snake_case
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.runs import RunSelection, StreamResult
from etlfabric_dagster.schemas.streams import (
    DiscoveredStream,
    Discovery,
    LoadMode,
    StreamSettings,
)
from etlfabric_dagster.services import connections, data, edits, pipelines, runs
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats, routes, strings
from etlfabric_ui.state import stream_words as words
from etlfabric_ui.state.base import PageState, moment, query_of
from etlfabric_ui.state.edit_words import effects_of
from etlfabric_ui.state.guards import Visit, guarded, problem_of, spoken
from etlfabric_ui.state.stream_table import StreamTable
from etlfabric_ui.views.shared import Difference, Moment, Problem
from etlfabric_ui.views.streams import StreamRow

LOOKED_AT = 5
"""So many of the last runs tell what became of a stream."""
SAMPLES = 3
PLAIN = {"succeeded": "succeeded", "unchanged": "unchanged", "failed": "failed"}


class PipelineStreams(StreamTable, PageState, rx.State):
    """The tab with the streams."""

    pipeline: str = ""
    loads: bool = True
    """Whether it has a connection."""
    stale: bool = False
    """Whether nobody has read the source's streams since the connection was changed."""
    effects: list[str] = []
    """What saving would do, in sentences."""
    query: str = ""
    """The filters, as the URL's query."""
    edited: int = 0
    refused: Problem = Problem()
    conflict: list[Difference] = []
    """Somebody saved other choices meanwhile: stream, theirs, one's own."""
    receipt: str = ""
    reloading: str = ""
    """Stream that someone asked to load from the start."""
    reload_says: str = ""
    _version: str = ""
    _saved: dict[str, dict[str, Any]] = {}
    _connection: str = ""
    _prefix: str = ""
    _tables: dict[str, str] = {}
    _gone: list[str] = []
    _results: dict[str, tuple[str, str, Moment]] = {}

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The streams as they are saved, with what their last loads did."""
        wanted = getattr(self, "pipeline_name", "")
        query = self.router.url.query_parameters
        self.problem, self.busy, self.drawer, self.reloading = Problem(), "", False, ""
        if wanted != self.pipeline:
            self.loaded, self._settings, self._saved = False, {}, {}
        self.pipeline = wanted
        self.stream_query, self.only = query.get("q", "")[:60], query.get("show", "all")
        page = query.get("page", "1")
        self.page_number = int(page) - 1 if page.isdigit() and page != "0" else 0
        if not self.edited or not self.loaded:
            await self._start_over(visit)
        self._show(await self._discovery(visit))
        self.loaded = True

    @rx.event
    @guarded(Role.EDITOR)
    async def discard(self, visit: Visit) -> None:
        """Back to what is saved."""
        await self._start_over(visit)
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def save(self, visit: Visit) -> AsyncIterator[Any]:
        """Keep the choices; what they reload is loaded by the next run."""
        self.busy, self.refused, self.receipt = "save", Problem(), ""
        yield
        try:
            await pipelines.update(
                visit.actor,
                visit.org,
                self.pipeline,
                streams=self._wanted(),
                expected=self._version,
            )
        except EditedMeanwhileError as exc:
            self.refused = problem_of(exc)
            await self._compare(visit)
        except FabricError as exc:
            self.refused = Problem("error", exc.message, spoken(exc.remedy), exc.code)
        else:
            await self._start_over(visit)
            self.receipt = strings.STREAMS_SAVED
        self._show(await self._discovery(visit))
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def save_over(self, visit: Visit) -> Any:
        """Save one's own though somebody saved meanwhile."""
        async with org_scope(visit.actor, visit.org) as scope:
            self._version = pipelines.version_of(await pipelines.get(scope, self.pipeline))
        self.refused, self.conflict = Problem(), []
        return type(self).save()  # pyright: ignore[reportCallIssue]

    @rx.event
    @guarded(Role.EDITOR)
    async def refresh(self, visit: Visit) -> AsyncIterator[Any]:
        """Read names and types again; nothing that is loaded changes."""
        self.busy, self.problem = "discover", Problem()
        yield
        await connections.discover(visit.actor, visit.org, self._connection)
        choices = self._all()
        await self._start_over(visit)
        self._put({name: one for name, one in choices.items() if name in self._all()})
        await self._changed(visit, await self._discovery(visit))
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def run_one(self, visit: Visit, name: str) -> Any:
        """Load only this stream, and go to the run."""
        return await self._run(visit, RunSelection(streams=(name,)))

    @rx.event
    @guarded(Role.EDITOR)
    async def ask_reload(self, visit: Visit, name: str) -> None:
        """What loading it from the start would do; an empty name closes the question."""
        self.reloading, self.reload_says = name, ""
        if name:
            async with org_scope(visit.actor, visit.org) as scope:
                models = await edits.rebuilt_after(scope, self.pipeline, name)
            stream = self._one(await self._discovery(visit), name)
            rows = stream.row_estimate if stream else None
            self.reload_says = _reload_says(
                self._table_of(name), rows, models, self._all()[name]["mode"]
            )

    @rx.event
    @guarded(Role.EDITOR)
    async def reload(self, visit: Visit) -> Any:
        """Load the stream from the start, and go to the run."""
        name, self.reloading, self.drawer = self.reloading, "", False
        return await self._run(visit, RunSelection(streams=(name,), full_refresh=(name,)))

    async def _run(self, visit: Visit, selection: RunSelection) -> Any:
        async with org_scope(visit.actor, visit.org) as scope:
            started = await runs.start(scope, self.pipeline, selection=selection)
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=started.id))

    async def _compare(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            theirs = _saved_settings(await pipelines.get(scope, self.pipeline))
        pairs = [
            (name, words.in_short(theirs.get(name)), words.in_short(self._all().get(name)))
            for name in sorted({*theirs, *self._wanted()})
            if theirs.get(name) != self._all().get(name)
        ]
        self.conflict = [Difference(*pair) for pair in pairs]

    async def _start_over(self, visit: Visit) -> None:
        """Read what is saved; streams that are not loaded get the defaults they would have."""
        async with org_scope(visit.actor, visit.org) as scope:
            one = await pipelines.get(scope, self.pipeline)
            self._results = await _last_results(scope, self.pipeline)
        self.loads, self._connection, self._prefix = (
            one.connection is not None,
            one.connection or "",
            one.table_prefix,
        )
        self._tables = {stream.name: stream.table for stream in one.streams}
        found = await self._discovery(visit)
        self._saved = _saved_settings(one)
        offered = {stream.name: words.default(stream, selected=False) for stream in found.streams}
        self._settings = {**offered, **self._saved}
        self._version, self.conflict = pipelines.version_of(one), []
        self.effects, self.edited, self.refused, self.receipt, self.said = [], 0, Problem(), "", ""

    async def _discovery(self, visit: Visit) -> Discovery:
        """What the connection offers, and streams the pipeline knows that are gone there."""
        async with org_scope(visit.actor, visit.org) as scope:
            one = await pipelines.get(scope, self.pipeline)
            if one.connection is None:
                return Discovery(streams=())
            found = await connections.last_discovery(scope, one.connection)
        self.stale = not found.streams
        offered = {stream.name for stream in found.streams}
        gone = [
            DiscoveredStream(name=stream.name, columns=stream.discovered)
            for stream in one.streams
            if stream.selected and stream.name not in offered
        ]
        self._gone = [stream.name for stream in gone]
        return Discovery(streams=tuple(sorted((*found.streams, *gone), key=lambda s: s.name)))

    async def _changed(self, visit: Visit, discovery: Discovery) -> None:
        """Try the choices dry, and say what they would do."""
        self.refused, self.receipt, self.conflict = Problem(), "", []
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                plan = await edits.plan(scope, self.pipeline, self._wanted())
        except FabricError as exc:
            self.refused = Problem("error", exc.message, spoken(exc.remedy), exc.code)
            plan = EditPlan(streams=(), unchanged=0, rows=0, unknown_rows=0, models=())
        self.effects = effects_of(plan)
        self.edited = sum(self._is_edited(name) for name in self._all())
        self._show(discovery)

    def _wanted(self) -> dict[str, Any]:
        """All that the pipeline knows or is to load, of what the source still offers."""
        return {
            name: one for name, one in self._all().items() if one["selected"] or name in self._saved
        }

    def _is_edited(self, name: str) -> bool:
        now, before = self._all()[name], getattr(self._saved, "__wrapped__", self._saved).get(name)
        return now != before if before else bool(now["selected"])

    def _row(self, stream: DiscoveredStream) -> StreamRow:
        result, loaded, fresh = self._results.get(stream.name, ("", "", Moment()))
        return words.row(
            stream,
            self._all()[stream.name],
            edited=self._is_edited(stream.name),
            result=result,
            loaded=loaded,
            fresh=fresh,
            gone=stream.name in self._gone and not self.stale,
        )

    def _table_of(self, name: str) -> str:
        return self._tables.get(name) or shortened(self._prefix + snake_case(name))

    async def _sample(self, visit: Visit, name: str) -> dict[str, str]:
        """Three values per column from the raw table, where the policy has been applied already."""
        if name not in self._tables:
            return {}
        try:
            found = await data.rows(
                visit.actor, visit.org, DataLayer.RAW, self._tables[name], limit=SAMPLES
            )
        except NotFoundError:  # not loaded yet
            return {}
        by_raw = {snake_case(column.name): column.name for column in self.detail.columns}
        return {
            by_raw[column.name]: words.sample_text([row[at] for row in found.rows])
            for at, column in enumerate(found.columns)
            if column.name in by_raw and found.rows
        }

    def _show(self, discovery: Discovery) -> None:
        super()._show(discovery)
        only = "" if self.only == "all" else self.only
        page = str(self.page_number + 1) if self.page_number else ""
        self.query = query_of(tab="streams", q=self.stream_query, show=only, page=page)


def _saved_settings(one: PipelineOut) -> dict[str, dict[str, Any]]:
    fields = StreamSettings.model_fields
    return {
        stream.name: StreamSettings.model_validate(
            {field: getattr(stream, field) for field in fields}
        ).model_dump(mode="json")
        for stream in one.streams
    }


async def _last_results(scope: OrgScope, pipeline: str) -> dict[str, tuple[str, str, Moment]]:
    """Stream → state, rows and time of its last load, of the last few runs."""
    page = await runs.list_runs(scope, pipeline=pipeline, limit=LOOKED_AT)
    found: dict[str, tuple[str, str, Moment]] = {}
    for run in page.items:
        for name, result in run.streams.items():
            found.setdefault(name, _result(result, run.finished_at))
    return found


def _result(result: StreamResult, at: datetime | None) -> tuple[str, str, Moment]:
    rows = formats.count(result.rows) if result.status in PLAIN else formats.UNKNOWN
    good = result.status in ("succeeded", "unchanged")
    return result.status, rows, moment(at) if good else Moment()


def _reload_says(table: str, rows: int | None, models: tuple[str, ...], mode: str) -> str:
    about = f"about {formats.count(rows)}{formats.NBSP}rows" if rows else "all rows"
    said = f"A run starts now, reads {about} and replaces {table} when done; until then the old "
    said += "rows stay."
    if models:
        said += f" Rebuilt after: {', '.join(models[:6])}{' …' if len(models) > 6 else ''}."
    if mode == LoadMode.APPEND:
        said += " Rows that are gone at the source will be gone here."
    return said
