"""A pipeline's head and settings: how it fares, run, pause, policy, delete."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.health import PipelineHealth
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.streams import SchemaPolicy
from etlfabric_dagster.services import edits, pipeline_health, pipelines, renaming, runs
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes, strings
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded, spoken
from etlfabric_ui.state.receipts import done, undoable
from etlfabric_ui.views.shared import Moment, Problem

TABS = ("streams", "runs", "changes", "schedule", "settings")


class PipelineState(PageState, rx.State):
    """The pipeline that the URL names."""

    name: str = ""
    tab: str = "streams"
    state: str = "never_run"
    connection: str = ""
    prefix: str = ""
    policy: str = "evolve"
    selector: str = ""
    paused: bool = False
    selected: int = 0
    pending: int = 0
    fresh: Moment = Moment()
    next_run: Moment = Moment()
    usual: str = ""
    failure: Problem = Problem()
    saved: str = ""
    selector_error: str = ""
    name_error: str = ""
    deleting: bool = False
    delete_error: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Its head; the tab is in the URL."""
        wanted = getattr(self, "pipeline_name", "")
        if wanted != self.name:
            self.loaded, self.name = False, wanted
        tab = self.router.url.query_parameters.get("tab", "")
        self.tab = tab if tab in TABS else "streams"
        self.problem, self.busy, self.saved, self.deleting = Problem(), "", "", False
        self.selector_error = self.name_error = ""
        await self._read(visit)
        self.loaded = True

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """How it fares now."""
        if self.loaded:
            await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def run(self, visit: Visit) -> Any:
        """Start a run, and go to it."""
        async with org_scope(visit.actor, visit.org) as scope:
            started = await runs.start(scope, self.name)
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=started.id))

    @rx.event
    @guarded(Role.EDITOR)
    async def pause(self, visit: Visit, paused: bool) -> Any:
        """Stop or resume its schedule; pausing can be undone for eight seconds."""
        async with org_scope(visit.actor, visit.org) as scope:
            await pipelines.set_paused(scope, self.name, paused=bool(paused))
        await self._read(visit)
        if not paused:
            return done(f"{self.name} runs again by its schedule.")
        return undoable(strings.PAUSED.format(name=self.name), PipelineState, "pause", False)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_schema_policy(self, visit: Visit, policy: str) -> None:
        """What happens with columns that appear at the source."""
        self.saved = ""
        if policy in tuple(SchemaPolicy):
            await pipelines.update(
                visit.actor, visit.org, self.name, schema_policy=SchemaPolicy(policy)
            )
            await self._read(visit)
            self.saved = strings.POLICY_SAVED

    @rx.event
    @guarded(Role.EDITOR)
    async def rename(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Another name; its address changes with it."""
        new = str(given.get("name", "")).strip()
        self.saved = self.name_error = ""
        if new == self.name:
            return None
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                await renaming.rename_pipeline(scope, self.name, new)
        except FabricError as exc:
            self.name_error = f"{exc.message} {spoken(exc.remedy)}".strip()
            return None
        here = routes.to(routes.PIPELINE, org_slug=visit.org, pipeline_name=new)
        self.name = new
        return [rx.redirect(f"{here}?tab=settings", replace=True), done(f"Renamed to {new}.")]

    @rx.event
    @guarded(Role.EDITOR)
    async def save_selector(self, visit: Visit, given: dict[str, Any]) -> None:
        """Which dbt models it builds; empty = what uses its streams."""
        selector = str(given.get("selector", "")).strip()
        self.saved = self.selector_error = ""
        try:
            await pipelines.update(
                visit.actor, visit.org, self.name, models=selector or None, clear_models=True
            )
        except FabricError as exc:
            self.selector_error = f"{exc.message} {spoken(exc.remedy)}".strip()
            return
        await self._read(visit)
        self.saved = strings.SELECTOR_SAVED

    @rx.event
    @guarded(Role.ADMIN)
    async def ask_delete(self, _visit: Visit, asking: bool) -> None:
        """Open or close the question."""
        self.deleting, self.delete_error = bool(asking), ""

    @rx.event
    @guarded(Role.ADMIN)
    async def delete(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Delete what was named."""
        if str(given.get("typed", "")).strip() != self.name:
            self.delete_error = f"Type {self.name}."
            return None
        try:
            await pipelines.delete(visit.actor, visit.org, self.name)
        except FabricError as exc:
            self.delete_error = f"{exc.message} {spoken(exc.remedy)}".strip()
            return None
        self.deleting, self.name = False, ""
        return rx.redirect(routes.to(routes.PIPELINES, org_slug=visit.org))

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            one = await pipelines.get(scope, self.name)
            health = (await pipeline_health.of(scope.session, [one.id]))[one.id]
            pending = await edits.pending_columns(scope, one.name)
        self.pending = len(pending)
        self._show(visit, one, health)

    def _show(self, visit: Visit, one: PipelineOut, health: PipelineHealth) -> None:
        self.state = str(pipeline_health.state_of(health, paused=one.paused))
        self.connection, self.prefix = one.connection or "", one.table_prefix
        self.policy, self.selector, self.paused = (
            str(one.schema_policy),
            one.models or "",
            one.paused,
        )
        self.selected = sum(stream.selected for stream in one.streams)
        self.fresh = moment(health.fresh_at)
        self.next_run = moment(None if one.paused else health.next_fire_at)
        self.usual = formats.duration(health.usual_s) if health.usual_s else ""
        self.failure = _failure(visit, health)


def _failure(visit: Visit, health: PipelineHealth) -> Problem:
    """Why its last run failed, and where that is told in full."""
    if health.error is None:
        return Problem()
    last = next(one for one in reversed(health.outcomes) if one.status == "failed")
    return Problem(
        "error",
        health.error.message,
        spoken(health.error.remedy),
        health.error.code,
        href=routes.to(routes.RUN, org_slug=visit.org, run_id=last.run_id),
        action="Open run",
    )
