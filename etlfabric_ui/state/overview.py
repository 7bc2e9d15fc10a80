"""Overview: is my data all right?"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.schemas.health import Overview
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import connections, overview
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.overview import DayBar, NeedRow, NextRow
from etlfabric_ui.views.shared import Moment, Problem

DAYS = 30
LOOK_MS = 10_000
"""How often an open page looks again."""
SHARED_S = 5
"""How old an answer may be that open pages of one org share."""
_shared: dict[str, tuple[float, Overview, int]] = {}


class OverviewState(PageState, rx.State):
    """The answer in one sentence, what needs someone, figures, what comes next."""

    connections: int = 0
    pipelines: int = 0
    sentence: str = ""
    mood: str = "healthy"
    needs: list[NeedRow] = []
    mart: str = ""
    mart_fresh: Moment = Moment()
    success: str = formats.UNKNOWN
    rows_today: str = formats.UNKNOWN
    running: str = ""
    queued: str = ""
    days: list[DayBar] = []
    days_finding: str = ""
    most: str = ""
    upcoming: list[NextRow] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read all of it, in a fixed number of queries."""
        self.problem = Problem()
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What changed meanwhile; whoever looks at the same org at the same time is told the same.

        Who may look was asked anew before: only the answer is shared, by this process's pages.
        """
        at, found, connected = _shared.get(visit.org, (0.0, None, 0))
        if found is None or time.monotonic() - at > SHARED_S:
            await self._read(visit)
        else:
            self._tell(visit, found, connected)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = await overview.show(scope)
            connected = len((await connections.list_connections(scope)).items)
        _shared[visit.org] = (time.monotonic(), found, connected)
        self._tell(visit, found, connected)

    def _tell(self, visit: Visit, found: Overview, connected: int) -> None:
        self.connections = connected
        self.pipelines = found.pipelines
        self.sentence, self.mood = _answer(found)
        self.needs = _needs(found, visit.org)
        self.mart = found.oldest_mart.table if found.oldest_mart else ""
        self.mart_fresh = moment(found.oldest_mart.fresh_at if found.oldest_mart else None)
        rate = found.success_rate_7d
        self.success = (
            formats.UNKNOWN if rate is None else formats.percent(round(rate * 1e6), 10**6)
        )
        self.rows_today = formats.count(found.rows_today)
        self.running, self.queued = f"{found.running} running", f"{found.queued} queued"
        self.days, self.days_finding, self.most = _days(found)
        self.upcoming = [NextRow(one.pipeline, moment(one.at)) for one in found.next]
        self.loaded = True


def _share(rate: float | None) -> str:
    return formats.UNKNOWN if rate is None else formats.percent(round(rate * 10**6), 10**6)


def _answer(found: Overview) -> tuple[str, str]:
    failing, late = len(found.failing), len(found.late)
    if failing or late:
        parts = [
            f"{formats.plural(failing, 'pipeline')} {'is' if failing == 1 else 'are'} failing"
            if failing
            else "",
            f"{late} {'is' if late == 1 else 'are'} late" if late else "",
        ]
        fine = f" {found.fine} {'is' if found.fine == 1 else 'are'} fine." if found.fine else ""
        return ", ".join(filter(None, parts)) + "." + fine, "failing" if failing else "late"
    if found.running:
        return f"Everything is fresh. {formats.plural(found.running, 'run')} going.", "healthy"
    return f"Everything is fresh. {formats.plural(found.pipelines, 'pipeline')}.", "healthy"


def _needs(found: Overview, org: str) -> list[NeedRow]:
    now = clock.now()

    def row(name: str, state: str, since: Any, reason: str) -> NeedRow:
        word = "failing for" if state == "failing" else "late by"
        spent = formats.duration((now - since).total_seconds()) if since else ""
        href = f"{routes.to(routes.RUNS, org_slug=org)}?pipeline={name}"
        return NeedRow(name, state, f"{word} {spent}" if spent else state, reason, href)

    return [
        row(one.name, "failing", one.since, one.error.message if one.error else "")
        for one in found.failing
    ] + [row(one.name, "late", one.since, "") for one in found.late]


def _days(found: Overview) -> tuple[list[DayBar], str, str]:
    """30 bars; a day without runs is a gap. And the finding, in a sentence."""
    rows = {one.day: one.rows for one in found.rows_per_day}
    if not rows:
        return [], "", ""
    today, most = clock.now().date(), max(rows.values()) or 1
    bars = []
    for back in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        label = formats.day(day)
        if day not in rows:
            bars.append(DayBar(label, "0", f"{label} · no runs"))
            continue
        height = f"{100 * rows[day] / most:.1f}%"
        said = f"{label} · {formats.plural(rows[day], 'row')}"
        bars.append(DayBar(label, height, said, day == today))
    highest = max(rows, key=lambda day: rows[day])
    mean = formats.count(sum(rows.values()) // len(rows))
    finding = f"Rows loaded per day: {mean} on average, highest {formats.day(highest)}"
    return bars, finding, formats.count(most)
