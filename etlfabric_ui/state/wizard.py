"""New connection: connector, details and a live check, streams, schedule, first run.

Each step has its URL: a reload, Back and a colleague find it. After a good check, or when someone
wants none, the connection is saved, so that closing loses nothing. Secrets are arguments of one
event and never part of the state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import reflex as rx

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.errors import FabricError, InvalidInputError, NotFoundError
from etlfabric_dagster.schemas.naming import shortened, snake_case
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.streams import Discovery
from etlfabric_dagster.services import connections, pipelines, runs, schedules, uploads
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import forms, routes, strings
from etlfabric_ui.state import catalogue, checks, file_streams
from etlfabric_ui.state import stream_words as words
from etlfabric_ui.state.base import PageState, browser_zone
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.state.receipts import done
from etlfabric_ui.state.schedule_choice import ScheduleChoice
from etlfabric_ui.state.stream_table import StreamTable
from etlfabric_ui.views.connections import FieldView, FoldView, Step, Tile, UploadRow
from etlfabric_ui.views.shared import Problem

SELECT_ALL_UP_TO = 20
ORDER = ("connector", "details", "streams", "schedule")


class WizardState(StreamTable, ScheduleChoice, PageState, rx.State):
    """One wizard per tab of the browser."""

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
    takes_files: bool = False
    files: list[UploadRow] = []
    form_key: int = 0
    _values: dict[str, str] = {}
    _stored: tuple[str, ...] = ()
    """Names of the secrets that the saved connection holds."""
    _untested: bool = False

    @rx.event
    @guarded(Role.EDITOR)
    async def load(self, visit: Visit) -> Any:
        """The step that the URL names, as far as it was reached."""
        self.problem, self.busy, self.drawer = Problem(), "", False
        query = self.router.url.query_parameters
        key = str(getattr(self, "connector_key", "") or "")
        name, step = query.get("name", ""), query.get("step", "details")
        if not self.tiles:
            self.tiles = catalogue.tiles(operator=visit.actor.is_operator)
        if not key:
            self.step, self.loaded = "connector", True
            return None
        if key != self.key or self.saved != bool(name) or (name and name != self.name):
            await self._begin(visit, key, name)
        if step in ("streams", "schedule") and self.saved and not self._all():
            await self._restore_streams(visit)
        self.step = step if self._reached(step) else "details"
        self.loaded = True
        return None

    @rx.event
    @guarded(Role.EDITOR)
    async def search(self, visit: Visit, query: str) -> None:
        """Connectors whose title contains it."""
        self.query = query[:60]
        every = catalogue.tiles(operator=visit.actor.is_operator)
        self.tiles = [one for one in every if query.lower() in one.title.lower()]

    @rx.event
    @guarded(Role.EDITOR)
    async def choose(self, visit: Visit, key: str) -> Any:
        """The form of a connector, empty; its address follows."""
        every = {one.key: one for one in catalogue.tiles(operator=visit.actor.is_operator)}
        if key not in every or every[key].locked:
            return None
        await self._begin(visit, key, "")
        self.step = "details"
        return rx.redirect(_address(visit, key, "details", ""))

    @rx.event
    @guarded(Role.EDITOR)
    async def test(self, visit: Visit, given: dict[str, Any]) -> AsyncIterator[Any]:
        """Save, then try for real; go on by itself when all is well."""
        untested, self._untested = self._untested, False
        self.checks, self.verdict, self.busy = [], Problem(), "test"
        yield
        if not await self._save(visit, given):
            self.busy = ""
        elif untested:
            self.busy = ""
            here = routes.to(routes.CONNECTION, org_slug=visit.org, connection_name=self.name)
            yield rx.redirect(here)
            yield done(strings.SAVED_FINISH_LATER.format(name=self.name))
        else:
            async for event in self._check(visit):
                yield event

    @rx.event
    @guarded(Role.EDITOR)
    async def skip_test(self, _visit: Visit) -> None:
        """The save that follows is not tested."""
        self._untested = True

    @rx.event
    @guarded(Role.EDITOR)
    async def go(self, visit: Visit, step: str) -> Any:
        """To a step that was reached."""
        if step == "connector":
            self.step = step
            return rx.redirect(routes.to(routes.NEW_CONNECTION, org_slug=visit.org))
        if step in ORDER and self._reached(step):
            self.step = step
            return rx.redirect(_address(visit, self.key, step, self.name if self.saved else ""))
        return None

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
    async def to_schedule(self, visit: Visit) -> Any:
        """On, with the streams that are selected; in the browser's time zone."""
        if not self.chosen:
            return None
        if not self.upcoming:
            self.zone = browser_zone(self.router.headers.cookie)
            self._look_ahead()
        self.step = "schedule"
        return rx.redirect(_address(visit, self.key, "schedule", self.name))

    @rx.event
    @guarded(Role.EDITOR)
    async def create(self, visit: Visit) -> AsyncIterator[Any]:
        """The pipeline, its schedule, its first run."""
        self._look_ahead()
        if self.cron_error or self.zone_error:
            return
        self.busy, self.problem = "create", Problem()
        yield
        wanted = {name: one for name, one in self._all().items() if one["selected"]}
        await pipelines.create(
            visit.actor, visit.org, self.name, connection=self.name, streams=wanted
        )
        async with org_scope(visit.actor, visit.org) as scope:
            if (cron := self._rule()) is not None:
                await schedules.set_schedule(scope, self.name, cron=cron, timezone=self.zone)
            started = await runs.start(scope, self.name)
        self.busy, self.step, self.tiles, self.key = "", "connector", [], ""
        yield rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=started.id))

    @rx.event
    @guarded(Role.EDITOR)
    async def uploaded(self, visit: Visit) -> None:
        """Files have come: each that no stream reads yet becomes one."""
        await self._list_files(visit)
        streams = file_streams.with_files(
            self._values.get("config.streams", ""), [one.name for one in self.files]
        )
        if streams:
            self._values |= {"config.bucket_url": file_streams.UPLOADS, "config.streams": streams}
        self._lay_out({})

    @rx.event
    @guarded(Role.EDITOR)
    async def remove_file(self, visit: Visit, name: str) -> None:
        """Delete an uploaded file, and the stream that was made of it."""
        async with org_scope(visit.actor, visit.org) as scope:
            try:
                await uploads.delete(scope, name)
            except NotFoundError:
                self.problem = Problem()
        await self._list_files(visit)
        kept = file_streams.without_file(self._values.get("config.streams", ""), name)
        self._values = {**self._values, "config.streams": kept}
        self._lay_out({})

    async def _begin(self, visit: Visit, key: str, name: str) -> None:
        """The connector's form: empty, or as the connection `name` has it."""
        every = {one.key: one for one in catalogue.tiles(operator=visit.actor.is_operator)}
        if key not in every or every[key].locked:
            raise NotFoundError(f"There is no connector '{key[:60]}'.", "Choose another.")
        self.key, self.title, self.mark = key, every[key].title, every[key].mark
        self.checks, self.verdict, self.name_error = [], Problem(), ""
        self._values, self._settings, self._stored, self.preset = {}, {}, (), "hourly"
        self.saved, self.form_key = bool(name), self.form_key + 1
        connector, _ = catalogue.choice(key)
        self.takes_files = connector == file_streams.CONNECTOR
        if name:
            async with org_scope(visit.actor, visit.org) as scope:
                known = await connections.get(scope, name)
            self._values, self._stored = forms.values_of(known.config), known.secrets
        self.name = name or await _free_name(visit, key)
        if self.takes_files:
            await self._list_files(visit)
        self._lay_out({})

    async def _check(self, visit: Visit) -> AsyncIterator[Any]:
        result = await connections.check(visit.actor, visit.org, self.name)
        self.checks = checks.steps_of(result)
        step = "details"
        if result.ok:
            self.busy = "discover"
            yield
            await self._discover(visit)
            step = "streams"
        else:
            self.verdict = checks.verdict_of(result)
            guilty = checks.guilty(result.code)
            self._lay_out({guilty: result.cause} if guilty else {})
        self.busy, self.step = "", step
        yield rx.redirect(_address(visit, self.key, step, self.name), replace=step == "details")

    def _reached(self, step: str) -> bool:
        return {
            "details": bool(self.key),
            "streams": self.saved and bool(self._all()),
            "schedule": self.saved and self.chosen > 0,
        }.get(step, False)

    def _keep(self, given: Mapping[str, Any]) -> None:
        self._values = {
            name: str(value) for name, value in given.items() if name.startswith("config.")
        }
        if not self.saved and given.get("name"):
            self.name = str(given["name"]).strip()

    async def _save(self, visit: Visit, given: dict[str, Any]) -> bool:
        """Create or update the connection; False when a field says why not."""
        connector, preset = catalogue.choice(self.key)
        spec = registry.get(connector).spec
        config_schema, secrets_schema = spec.config_schema, spec.secrets_schema
        self._keep(given)
        self.name_error = ""
        try:
            config, secrets = forms.collect(config_schema, secrets_schema, given, preset)
            async with org_scope(visit.actor, visit.org) as scope:
                if self.saved:
                    kept = await connections.update(
                        scope, self.name, config=config, secrets=secrets
                    )
                else:
                    kept = await connections.create(scope, self.name, connector, config, secrets)
            self.saved, self._stored = True, kept.secrets
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
        self.fields, self.folds = forms.layout(
            spec.config_schema,
            spec.secrets_schema,
            self._values,
            preset=preset,
            stored=tuple(self._stored),
            errors=errors,
        )

    async def _list_files(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            self.files = file_streams.rows(await uploads.list_uploads(scope))

    async def _discover(self, visit: Visit) -> None:
        discovery = await connections.discover(visit.actor, visit.org, self.name)
        self._take_streams(discovery)

    async def _restore_streams(self, visit: Visit) -> None:
        discovery = await self._discovery(visit)
        if discovery.streams:
            self._take_streams(discovery)

    def _take_streams(self, discovery: Discovery) -> None:
        take = len(discovery.streams) <= SELECT_ALL_UP_TO
        known = self._all()
        self._settings = {
            one.name: known.get(one.name) or words.default(one, selected=take)
            for one in discovery.streams
        }
        self.stream_query, self.only, self.page_number, self.said = "", "all", 0, ""
        self._show(discovery)

    async def _discovery(self, visit: Visit) -> Discovery:
        async with org_scope(visit.actor, visit.org) as scope:
            return await connections.last_discovery(scope, self.name)

    async def _sample(self, visit: Visit, name: str) -> dict[str, str]:
        """From the source itself."""
        found = await connections.sample(visit.actor, visit.org, self.name, name)
        return {column: words.sample_text(values) for column, values in found.items()}

    def _table_of(self, name: str) -> str:
        return shortened(f"{self.name}__{snake_case(name)}")


def _address(visit: Visit, key: str, step: str, name: str) -> str:
    base = routes.to(routes.NEW_CONNECTION_OF, org_slug=visit.org, connector_key=key)
    return f"{base}?step={step}" + (f"&name={quote(name)}" if name else "")


async def _free_name(visit: Visit, key: str) -> str:
    """The tile's name, numbered when it is taken."""
    async with org_scope(visit.actor, visit.org) as scope:
        taken = {one.name for one in (await connections.list_connections(scope)).items}
    names = (key, *(f"{key}_{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
