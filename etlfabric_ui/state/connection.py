"""A connection: where it points, whether it works, who uses it, its form, what it offers.

Secrets are arguments of one event and never part of the state.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import reflex as rx

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.errors import EditedMeanwhileError, FabricError, InvalidInputError
from etlfabric_dagster.schemas.connections import ConnectionOut
from etlfabric_dagster.schemas.discovered import OfferedStream, StreamFilter
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import connections, discovered, pipelines
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats, forms, routes, strings
from etlfabric_ui.state import catalogue, checks
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.connections import FieldView, FoldView, FoundRow, Step
from etlfabric_ui.views.shared import Difference, Fact, Moment, Problem

PAGE = 50
TABS = ("overview", "edit", "streams")
TRUSTED = "host_key"


class ConnectionState(PageState, rx.State):
    """The connection that the URL names, on one tab."""

    name: str = ""
    title: str = ""
    mark: str = "database"
    state: str = "untested"
    tested: Moment = Moment()
    changed: Moment = Moment()
    tab: str = "overview"
    facts: list[Fact] = []
    used_by: list[str] = []
    checks: list[Step] = []
    verdict: Problem = Problem()
    fields: list[FieldView] = []
    folds: list[FoldView] = []
    form_key: int = 0
    refused: Problem = Problem()
    """Why the last change was not saved."""
    conflict: list[Difference] = []
    """Somebody saved another version meanwhile: where it differs from what was sent."""
    saved: str = ""
    streams: list[FoundRow] = []
    found: int = 0
    found_at: Moment = Moment()
    shown: str = ""
    q: str = ""
    deleting: bool = False
    delete_error: str = ""
    _pages: list[str] = []
    _next: str = ""
    _values: dict[str, str] = {}
    _anyway: bool = False
    _version: str = ""
    """Of what the form was filled from."""

    @rx.var
    def has_back(self) -> bool:
        """Whether streams stand before this page."""
        return bool(self._pages)

    @rx.var
    def has_more(self) -> bool:
        """Whether streams follow this page."""
        return bool(self._next)

    @rx.var
    def deletes(self) -> str:
        """What deleting it means, or what is in the way."""
        if self.used_by:
            used = formats.plural(len(self.used_by), "pipeline")
            return (
                f"{self.name} is used by {used}: {', '.join(self.used_by)}. "
                "Delete or re-point them first."
            )
        return strings.DELETES_CONNECTION

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """All of it; the tab, and the field to mend, are in the URL."""
        query = self.router.url.query_parameters
        wanted = getattr(self, "connection_name", "")
        if wanted != self.name:
            self.loaded, self.name = False, wanted
        self.problem, self.refused, self.busy, self.deleting = Problem(), Problem(), "", False
        self.conflict = []
        self.tab = query.get("tab", "") if query.get("tab", "") in TABS else "overview"
        self.q, self._pages, self._values, self._anyway = query.get("q", "")[:60], [], {}, False
        await self._read(visit, query.get("field", ""))
        self.loaded = True

    @rx.event
    @guarded(Role.EDITOR)
    async def test(self, visit: Visit) -> AsyncIterator[Any]:
        """Try it for real."""
        self.busy, self.saved, self.problem = "test", "", Problem()
        yield
        await connections.check(visit.actor, visit.org, self.name)
        await self._read(visit)
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def save(self, visit: Visit, given: dict[str, Any]) -> AsyncIterator[Any]:
        """Try the change first, and keep it if it works."""
        anyway, self._anyway = self._anyway, False
        self.busy, self.saved, self.refused, self.conflict = "save", "", Problem(), []
        yield
        if await self._save(visit, given, anyway=anyway) and not anyway:
            self.busy = "discover"
            yield
            with contextlib.suppress(FabricError):  # told when somebody looks for streams
                await connections.discover(visit.actor, visit.org, self.name)
        self.busy = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def insist(self, _visit: Visit) -> None:
        """The save that follows keeps the change though its test failed."""
        self._anyway = True

    @rx.event
    @guarded(Role.EDITOR)
    async def save_over(self, visit: Visit) -> None:
        """The save that follows replaces what somebody else saved meanwhile."""
        async with org_scope(visit.actor, visit.org) as scope:
            self._version = connections.version_of(await connections.get(scope, self.name))

    @rx.event
    @guarded(Role.EDITOR)
    async def take_theirs(self, visit: Visit) -> None:
        """The form as it is saved now."""
        self._values, self.refused, self.conflict = {}, Problem(), []
        self.form_key += 1
        await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def refresh(self, visit: Visit) -> AsyncIterator[Any]:
        """Read names and types again; nothing that is loaded changes."""
        self.busy, self.problem = "discover", Problem()
        yield
        await connections.discover(visit.actor, visit.org, self.name)
        self._pages = []
        await self._read(visit)
        self.busy = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def search(self, visit: Visit, q: str) -> None:
        """Streams whose name contains it."""
        self.q, self._pages = q[:60], []
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def turn(self, visit: Visit, by: int) -> None:
        """Another page of streams."""
        if by > 0 and self._next:
            self._pages = [*self._pages, self._next]
        elif by < 0:
            self._pages = self._pages[:-1]
        await self._read(visit)

    @rx.event
    @guarded(Role.ADMIN)
    async def ask_delete(self, _visit: Visit, asking: bool) -> None:
        """Open or close the question."""
        self.deleting, self.delete_error = asking, ""

    @rx.event
    @guarded(Role.ADMIN)
    async def delete(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Delete what was named."""
        if str(given.get("typed", "")).strip() != self.name:
            self.delete_error = f"Type {self.name}."
            return None
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                await connections.delete(scope, self.name)
        except FabricError as exc:
            self.delete_error = exc.message
            return None
        self.deleting, self.name = False, ""
        return rx.redirect(routes.to(routes.CONNECTIONS, org_slug=visit.org))

    async def _read(self, visit: Visit, field: str = "") -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            one = await connections.get(scope, self.name)
            every = (await pipelines.list_pipelines(scope)).items
            if self.tab == "streams":
                await self._read_streams(scope)
        self.used_by = [found.name for found in every if found.connection == one.name]
        spec = registry.get(one.connector).spec
        dialect = str(one.config.get("dialect", ""))
        self.title = catalogue.title_of(spec, dialect)
        self.mark = catalogue.mark_of(one.connector, spec.group, dialect)
        check = one.last_check
        self.state = "untested" if check is None else "ready" if check.ok else "attention"
        self.tested, self.changed = moment(one.checked_at), moment(one.updated_at)
        self.checks = checks.steps_of(check)
        base = routes.to(routes.CONNECTION, org_slug=visit.org, connection_name=one.name)
        self.verdict = checks.verdict_of(check, f"{base}?tab=edit")
        cause = check.cause if check and checks.guilty(check.code) == field else "Change this."
        self._lay_out(one, {field: cause} if field else {})

    async def _read_streams(self, scope: OrgScope) -> None:
        page = await discovered.list_streams(
            scope,
            self.name,
            only=StreamFilter(q=self.q or None),
            cursor=self._pages[-1] if self._pages else None,
            limit=PAGE,
        )
        self.streams, self._next = [_found(stream) for stream in page.items], page.next or ""
        self.found, self.found_at = page.offered, moment(page.discovered_at)
        first = len(self._pages) * PAGE
        shown = f"{first + 1:,}–{first + len(page.items):,}"
        self.shown = formats.share(shown, formats.exact(page.matching))

    async def _save(self, visit: Visit, given: dict[str, Any], *, anyway: bool) -> bool:
        """Whether it was kept; else a field or the form says why not."""
        async with org_scope(visit.actor, visit.org) as scope:
            one = await connections.get(scope, self.name)
        spec, preset = registry.get(one.connector).spec, _preset(one)
        self._values = {
            name: str(value) for name, value in given.items() if name.startswith("config.")
        }
        try:
            config, secrets = forms.collect(spec.config_schema, spec.secrets_schema, given, preset)
            config = _trusting_as_before(one.config, config)
            if anyway:
                async with org_scope(visit.actor, visit.org) as scope:
                    await connections.update(
                        scope, one.name, config=config, secrets=secrets, expected=self._version
                    )
            else:
                result = await connections.try_update(
                    visit.actor,
                    visit.org,
                    one.name,
                    config=config,
                    secrets=secrets,
                    expected=self._version,
                )
                if not result.ok:
                    self.refused = checks.verdict_of(result)
                    field = checks.guilty(result.code)
                    self._lay_out(one, {field: result.cause} if field else {})
                    return False
        except forms.FormError as exc:
            self._lay_out(one, {exc.name: exc.message})
            return False
        except EditedMeanwhileError as exc:
            self.refused = problem_of(exc)
            self.conflict = self._differences(forms.values_of(one.config))
            self._lay_out(one, {})
            return False
        except FabricError as exc:
            self._blame(one, exc)
            return False
        self.saved = strings.SAVED_UNTESTED if anyway else strings.SAVED_TESTED
        self._values, self.form_key = {}, self.form_key + 1
        await self._read(visit)
        return True

    def _differences(self, theirs: Mapping[str, str]) -> list[Difference]:
        shown = [*self.fields, *(found for fold in self.folds for found in fold.fields)]
        pairs = [
            (one.label, theirs.get(one.name, ""), self._values.get(one.name, "")) for one in shown
        ]
        return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]

    def _blame(self, one: ConnectionOut, exc: FabricError) -> None:
        """An error goes to its field, or above the buttons."""
        field = str(exc.where.get("field", ""))
        known = [found.name for found in self.fields]
        known += [found.name for fold in self.folds for found in fold.fields]
        exact = (field, f"config.{field}", f"secrets.{field}")
        named = next((name for name in known if name in exact), "")
        if named and isinstance(exc, InvalidInputError):
            self._lay_out(one, {named: f"{exc.message} {exc.remedy}".strip()})
        else:
            self.refused = problem_of(exc)
            self._lay_out(one, {})

    def _lay_out(self, one: ConnectionOut, errors: Mapping[str, str]) -> None:
        spec = registry.get(one.connector).spec
        if not self._values:
            self._version = connections.version_of(one)
        self.fields, self.folds = forms.layout(
            spec.config_schema,
            spec.secrets_schema,
            self._values or forms.values_of(one.config),
            preset=_preset(one),
            stored=one.secrets,
            errors=errors,
        )
        every = [*self.fields, *(found for fold in self.folds for found in fold.fields)]
        stored = forms.values_of(one.config)
        self.facts = [
            Fact(found.label, "Saved" if found.stored else stored[found.name])
            for found in every
            if found.stored or stored.get(found.name)
        ]


def _preset(one: ConnectionOut) -> dict[str, Any]:
    """What the choice of a tile has settled."""
    return {"dialect": one.config["dialect"]} if "dialect" in one.config else {}


def _trusting_as_before(old: Mapping[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The key of the SSH server stays known as long as it is the same server."""
    before, after = old.get("ssh") or {}, new.get("ssh") or {}
    same = all(before.get(part) == after.get(part) for part in ("host", "port"))
    if after and same and before.get(TRUSTED) and not after.get(TRUSTED):
        new["ssh"] = {**after, TRUSTED: before[TRUSTED]}
    return new


def _found(stream: OfferedStream) -> FoundRow:
    names = ", ".join(column.name for column in stream.columns[:30])
    return FoundRow(
        name=stream.name,
        key=", ".join(stream.primary_key) or formats.UNKNOWN,
        cursor=next(iter(stream.cursor_candidates), formats.UNKNOWN),
        columns=str(len(stream.columns)),
        columns_said=names,
        rows=formats.estimate(stream.row_estimate),
    )
