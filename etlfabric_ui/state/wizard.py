"""New connection: connector, details and a live check, streams, schedule, first run.

After a good check the connection is saved, so that closing loses nothing. Secrets are arguments of
one event and never part of the state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import reflex as rx

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.errors import FabricError, InvalidInputError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.streams import DiscoveredStream, Discovery, LoadMode
from etlfabric_dagster.services import connections, pipelines, runs, schedules, stream_settings
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, forms, routes
from etlfabric_ui.state import catalogue, checks
from etlfabric_ui.state.base import PageState, browser_zone
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views import FieldView, FoldView, Problem, Step, StreamRow, Tile

PAGE = 50
SELECT_ALL_UP_TO = 20
CRONS = {"15min": "*/15 * * * *", "hourly": "0 * * * *", "daily": "0 6 * * *"}


class WizardState(PageState, rx.State):
    """One wizard per tab."""

    step: str = "connector"
    tiles: list[Tile] = []
    query: str = ""
    key: str = ""
    title: str = ""
    mark: str = "database"
    name: str = ""
    saved: bool = False
    fields: list[FieldView] = []
    folds: list[FoldView] = []
    name_error: str = ""
    checks: list[Step] = []
    verdict: Problem = Problem()
    streams: list[StreamRow] = []
    found: int = 0
    matching: int = 0
    chosen: int = 0
    stream_query: str = ""
    page_number: int = 0
    pages: int = 1
    preset: str = "hourly"
    zone: str = "UTC"
    _values: dict[str, str] = {}
    _settings: dict[str, dict[str, Any]] = {}

    @rx.event
    @guarded(Role.EDITOR)
    async def load(self, visit: Visit) -> None:
        """The catalogue, or where this tab stood."""
        self.problem, self.busy = Problem(), ""
        if not self.tiles:
            self.tiles = catalogue.tiles(operator=visit.actor.is_operator)
        self.loaded = True

    @rx.event
    @guarded(Role.EDITOR)
    async def search(self, visit: Visit, query: str) -> None:
        """Connectors whose title contains it."""
        self.query = query[:60]
        every = catalogue.tiles(operator=visit.actor.is_operator)
        self.tiles = [one for one in every if query.lower() in one.title.lower()]

    @rx.event
    @guarded(Role.EDITOR)
    async def choose(self, visit: Visit, key: str) -> None:
        """Make the form of a connector."""
        every = {one.key: one for one in catalogue.tiles(operator=visit.actor.is_operator)}
        if key not in every or every[key].locked:
            return
        self.key, self.title, self.mark = key, every[key].title, every[key].mark
        self.name = await _free_name(visit, key)
        self.saved, self.checks, self.verdict = False, [], Problem()
        self._values, self._settings, self.name_error = {}, {}, ""
        self._lay_out({})
        self.step = "details"

    @rx.event
    @guarded(Role.EDITOR)
    async def test(self, visit: Visit, given: dict[str, Any]) -> AsyncIterator[Any]:
        """Save, then try for real; go on by itself when all is well."""
        self.checks, self.verdict, self.busy = [], Problem(), "test"
        yield
        if await self._save(visit, given):
            result = await connections.check(visit.actor, visit.org, self.name)
            self.checks = checks.steps_of(result)
            if result.ok:
                self.busy = "discover"
                yield
                await self._discover(visit)
                self.step = "streams"
            else:
                self.verdict = checks.verdict_of(result)
                guilty = checks.guilty(result.code)
                self._lay_out({guilty: result.cause} if guilty else {})
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def go(self, _visit: Visit, step: str) -> None:
        """Back to a step that was reached."""
        order = ("connector", "details", "streams", "schedule")
        if step in order and order.index(step) < order.index(self.step):
            self.step = step

    @rx.event
    @guarded(Role.EDITOR)
    async def refresh(self, visit: Visit) -> AsyncIterator[Any]:
        """Read names and types again; nothing that is loaded changes."""
        self.busy, self.problem = "discover", Problem()
        yield
        await self._discover(visit)
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def filter_streams(self, visit: Visit, query: str) -> None:
        """Streams or columns whose name contains it."""
        self.stream_query, self.page_number = query[:60], 0
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def turn(self, visit: Visit, by: int) -> None:
        """Another page of streams."""
        self.page_number = min(max(0, self.page_number + by), self.pages - 1)
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def select(self, visit: Visit, name: str, selected: bool) -> None:
        """Take or leave one stream."""
        self._change(name, selected=selected)
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def select_matching(self, visit: Visit, selected: bool) -> None:
        """Exactly those that the filter shows."""
        discovery = await self._discovery(visit)
        for one in _matching(discovery, self.stream_query):
            self._change(one.name, selected=selected)
        self._show(discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_mode(self, visit: Visit, name: str, mode: str) -> None:
        """How a stream is loaded."""
        discovery = await self._discovery(visit)
        stream = next((one for one in discovery.streams if one.name == name), None)
        if stream is None or mode not in _modes(stream):
            return
        by_cursor = mode in (LoadMode.INCREMENTAL, LoadMode.APPEND)
        cursor = stream.cursor_candidates[0] if by_cursor and stream.cursor_candidates else None
        self._change(name, mode=mode, cursor=cursor, primary_key=list(stream.primary_key))
        self._show(discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_cursor(self, visit: Visit, name: str, cursor: str) -> None:
        """By which column a stream's new rows are found."""
        discovery = await self._discovery(visit)
        stream = next((one for one in discovery.streams if one.name == name), None)
        if stream is not None and cursor in stream.cursor_candidates:
            self._change(name, cursor=cursor)
        self._show(discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def to_schedule(self, _visit: Visit) -> None:
        """On, with the streams that are selected; in the browser's time zone."""
        if self.chosen:
            self.step, self.zone = "schedule", browser_zone(self.router.headers.cookie)

    @rx.event
    @guarded(Role.EDITOR)
    async def pick_preset(self, _visit: Visit, preset: str) -> None:
        """How often it runs."""
        if preset in (*CRONS, "manual"):
            self.preset = preset

    @rx.event
    @guarded(Role.EDITOR)
    async def create(self, visit: Visit) -> AsyncIterator[Any]:
        """The pipeline, its schedule, its first run."""
        self.busy, self.problem = "create", Problem()
        yield
        wanted = {name: one for name, one in self._settings.items() if one["selected"]}
        await pipelines.create(
            visit.actor, visit.org, self.name, connection=self.name, streams=wanted
        )
        async with org_scope(visit.actor, visit.org) as scope:
            if self.preset in CRONS:
                cron, zone = CRONS[self.preset], self.zone
                await schedules.set_schedule(scope, self.name, cron=cron, timezone=zone)
            started = await runs.start(scope, self.name)
        self.busy, self.step, self.tiles = "", "connector", []
        yield rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=started.id))

    async def _save(self, visit: Visit, given: dict[str, Any]) -> bool:
        """Create or update the connection; False when a field says why not."""
        connector, preset = catalogue.choice(self.key)
        spec = registry.get(connector).spec
        config_schema, secrets_schema = spec.config_schema, spec.secrets_schema
        self._values = {
            name: str(value) for name, value in given.items() if name.startswith("config.")
        }
        self.name_error = ""
        try:
            config, secrets = forms.collect(config_schema, secrets_schema, given, preset)
            async with org_scope(visit.actor, visit.org) as scope:
                if self.saved:
                    await connections.update(scope, self.name, config=config, secrets=secrets)
                else:
                    self.name = str(given.get("name", "")).strip()
                    await connections.create(scope, self.name, connector, config, secrets)
            self.saved = True
        except forms.FormError as exc:
            self._lay_out({exc.name: exc.message})
            return False
        except FabricError as exc:
            self._blame(exc)
            return False
        self._lay_out({})
        return True

    def _blame(self, exc: FabricError) -> None:
        """An error goes to its field, or above the buttons."""
        field = str(exc.where.get("field", ""))
        said = f"{exc.message} {exc.remedy}".strip()
        known = [one.name for one in self.fields]
        known += [one.name for fold in self.folds for one in fold.fields]
        exact = (field, f"config.{field}", f"secrets.{field}")
        named = next((name for name in known if name in exact), "")
        if field == "name" or (exc.code == "conflict" and not self.saved):
            self.name_error = said
            self._lay_out({})
        elif named and isinstance(exc, InvalidInputError):
            self._lay_out({named: said})
        else:
            self.verdict = problem_of(exc)
            self._lay_out({})

    def _lay_out(self, errors: Mapping[str, str]) -> None:
        connector, preset = catalogue.choice(self.key)
        spec = registry.get(connector).spec
        stored = tuple(spec.secrets_schema.get("properties", {})) if self.saved else ()
        self.fields, self.folds = forms.layout(
            spec.config_schema,
            spec.secrets_schema,
            self._values,
            preset=preset,
            stored=stored,
            errors=errors,
        )

    async def _discover(self, visit: Visit) -> None:
        discovery = await connections.discover(visit.actor, visit.org, self.name)
        take = len(discovery.streams) <= SELECT_ALL_UP_TO
        known = self._settings
        self._settings = {
            one.name: known.get(one.name) or _default(one, selected=take)
            for one in discovery.streams
        }
        self.stream_query, self.page_number = "", 0
        self._show(discovery)

    async def _discovery(self, visit: Visit) -> Discovery:
        async with org_scope(visit.actor, visit.org) as scope:
            return await connections.last_discovery(scope, self.name)

    def _change(self, name: str, **values: Any) -> None:
        if name in self._settings:
            self._settings[name] = {**self._settings[name], **values}

    def _show(self, discovery: Discovery) -> None:
        matching = _matching(discovery, self.stream_query)
        self.found, self.matching = len(discovery.streams), len(matching)
        self.chosen = sum(one["selected"] for one in self._settings.values())
        self.pages = max(1, -(-len(matching) // PAGE))
        first = self.page_number * PAGE
        self.streams = [_row(one, self._settings[one.name]) for one in matching[first:][:PAGE]]


def _default(stream: DiscoveredStream, *, selected: bool) -> dict[str, Any]:
    settings = stream_settings.default_settings(stream).model_dump(mode="json")
    return {**settings, "selected": selected}


def _matching(discovery: Discovery, query: str) -> list[DiscoveredStream]:
    wanted = query.lower()
    return [
        one
        for one in discovery.streams
        if wanted in one.name.lower() or any(wanted in column.name for column in one.columns)
    ]


def _modes(stream: DiscoveredStream) -> list[str]:
    """Those that can work: by cursor needs one, by key needs a key."""
    found = [str(LoadMode.FULL)]
    if stream.cursor_candidates:
        found += [str(LoadMode.INCREMENTAL), str(LoadMode.APPEND)]
    if stream.primary_key:
        found += [str(LoadMode.MERGE), str(LoadMode.SCD2)]
    return found


def _row(stream: DiscoveredStream, settings: Mapping[str, Any]) -> StreamRow:
    return StreamRow(
        name=stream.name,
        mode=settings["mode"],
        modes=_modes(stream),
        key=", ".join(stream.primary_key) or formats.UNKNOWN,
        cursor=settings.get("cursor") or "",
        cursors=list(stream.cursor_candidates),
        columns=str(len(stream.columns)),
        rows=formats.estimate(stream.row_estimate),
        selected=settings["selected"],
    )


async def _free_name(visit: Visit, key: str) -> str:
    """The tile's name, numbered when it is taken."""
    async with org_scope(visit.actor, visit.org) as scope:
        taken = {one.name for one in (await connections.list_connections(scope)).items}
    names = (key, *(f"{key}_{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
