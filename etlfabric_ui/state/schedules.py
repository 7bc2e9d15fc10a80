"""Schedules: a time line of what ran and what will, and the list below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.schemas.health import TimelineRow
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import orgs, pipelines, timeline
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes, strings
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import undoable
from etlfabric_ui.state.schedule_choice import cron_in_words, interval_in_words
from etlfabric_ui.state.time_boxes import axis, boxes, overlaps
from etlfabric_ui.state.zones import zone
from etlfabric_ui.views.overview import AxisMark, ScheduleRow
from etlfabric_ui.views.shared import Problem

SPANS = {"6h": timedelta(hours=6), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
PAGE = 40


class SchedulesState(PageState, rx.State):
    """The schedules of an org."""

    rows: list[ScheduleRow] = []
    marks: list[AxisMark] = []
    notes: list[str] = []
    span: str = "24h"
    zone: str = "UTC"
    after: str = ""
    next_after: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The span and the page are in the URL."""
        query = self.router.url.query_parameters
        self.problem = Problem()
        self.span = query.get("span", "") if query.get("span", "") in SPANS else "24h"
        self.after = query.get("after", "")[:60]
        await self._read(visit)
        self.loaded = True

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """The line moves on."""
        if self.loaded:
            await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def pause(self, visit: Visit, name: str, paused: bool) -> Any:
        """Stop or resume a pipeline's schedule; pausing can be undone for eight seconds."""
        async with org_scope(visit.actor, visit.org) as scope:
            await pipelines.set_paused(scope, name, paused=bool(paused))
        await self._read(visit)
        if not paused:
            return None
        return undoable(strings.PAUSED.format(name=name), SchedulesState, "pause", name, False)

    async def _read(self, visit: Visit) -> None:
        span, now = SPANS[self.span], clock.now()
        async with org_scope(visit.actor, visit.org) as scope:
            found = await timeline.around_now(scope, span, after=self.after or None, limit=PAGE + 1)
        at_once = (await orgs.get(visit.actor, visit.org)).max_concurrent_runs
        shown = found[:PAGE]
        self.rows = [_row(one, visit.org, now, span) for one in shown]
        self.next_after = shown[-1].pipeline if len(found) > PAGE else ""
        self.zone = zone()
        self.marks = axis(now, span, self.zone)
        self.notes = overlaps(found, at_once, self.zone)


def _row(one: TimelineRow, org: str, now: datetime, span: timedelta) -> ScheduleRow:
    here = routes.to(routes.PIPELINE, org_slug=org, pipeline_name=one.pipeline)
    return ScheduleRow(
        pipeline=one.pipeline,
        rule=_rule(one),
        zone=one.timezone,
        paused=one.paused,
        next_run=moment(one.next_fire_at),
        boxes=boxes(one, now, span),
        said=_said(one),
        href=here,
        edit=f"{here}?tab=schedule",
    )


def _rule(one: TimelineRow) -> str:
    if one.cron is not None:
        return cron_in_words(one.cron)
    return interval_in_words(one.interval_s or 0)


def _said(one: TimelineRow) -> str:
    """The row for those who do not see it."""
    states: Sequence[str] = [str(event.status) for event in one.past]
    counted = [
        f"{states.count(state)} {state}" for state in ("succeeded", "failed") if state in states
    ]
    ahead = formats.plural(len(one.ahead), "run") + " ahead"
    return f"{one.pipeline}: {', '.join([*counted, ahead])}"
