"""A pipeline's schedule."""

from __future__ import annotations

import contextlib
from typing import Any

import reflex as rx

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import pipelines, schedules
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import strings
from etlfabric_ui.state.base import PageState, browser_zone
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.schedule_choice import ScheduleChoice, interval_in_words
from etlfabric_ui.views.shared import Problem


class PipelineSchedule(ScheduleChoice, PageState, rx.State):
    """The tab with the schedule."""

    pipeline: str = ""
    interval: str = ""
    """An interval that the CLI or the API set, in words; saving replaces it."""
    saved: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """As it is set."""
        wanted = getattr(self, "pipeline_name", "")
        if wanted != self.pipeline:
            self.loaded, self.pipeline = False, wanted
        self.problem, self.saved, self.interval = Problem(), "", ""
        async with org_scope(visit.actor, visit.org) as scope:
            await pipelines.find(scope, wanted)
            try:
                found = await schedules.get(scope, wanted)
            except NotFoundError:
                self._take(None, browser_zone(self.router.headers.cookie))
            else:
                self._take(found.cron, found.timezone)
                self.interval = interval_in_words(found.interval_s) if found.interval_s else ""
        self.loaded = True

    @rx.event
    @guarded(Role.EDITOR)
    async def save(self, visit: Visit) -> Any:
        """Set it, or remove it: then runs start only by hand."""
        self._look_ahead()
        self.saved = ""
        if self.cron_error or self.zone_error:
            return None
        cron = self._rule()
        async with org_scope(visit.actor, visit.org) as scope:
            if cron is not None:
                await schedules.set_schedule(scope, self.pipeline, cron=cron, timezone=self.zone)
            else:
                with contextlib.suppress(NotFoundError):
                    await schedules.remove(scope, self.pipeline)
        self.saved, self.interval = strings.SCHEDULE_SAVED, ""
        return PipelineState.poll("")  # pyright: ignore
