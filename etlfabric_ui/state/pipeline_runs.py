"""A pipeline's runs: a page of the list, and how long the last ones took."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import RunOut, RunStatus
from etlfabric_dagster.services import runs
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.words import run_row
from etlfabric_ui.state.zones import local
from etlfabric_ui.views.runs import DurationBar, RunRow
from etlfabric_ui.views.shared import Problem

PAGE = 50


class PipelineRuns(PageState, rx.State):
    """The tab with the runs."""

    pipeline: str = ""
    rows: list[RunRow] = []
    bars: list[DurationBar] = []
    finding: str = ""
    cursor: str = ""
    next_cursor: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The page that the URL names."""
        query = self.router.url.query_parameters
        wanted = getattr(self, "pipeline_name", "")
        if wanted != self.pipeline:
            self.loaded, self.pipeline = False, wanted
        self.problem, self.cursor = Problem(), query.get("cursor", "")
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What changed meanwhile; an older page stays as it is."""
        if self.loaded and not self.cursor:
            await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            page = await runs.list_runs(
                scope, pipeline=self.pipeline, cursor=self.cursor or None, limit=PAGE
            )
        rows = [run_row(one) for one in page.items]
        if rows != self.rows or not self.loaded:
            self.rows = rows
            self.bars, self.finding = durations(page.items, visit.org)
        self.next_cursor, self.loaded = page.next or "", True


def durations(found: tuple[RunOut, ...], org: str) -> tuple[list[DurationBar], str]:
    """Bars, oldest first, zero-based, of those that ended; and the finding in a sentence."""
    ended = [one for one in reversed(found) if one.duration_s is not None and one.status.is_final]
    if not ended:
        return [], ""
    spans = [one.duration_s or 0 for one in ended]
    most = max(spans) or 1
    bars = [
        DurationBar(
            str(one.status),
            f"{max(2.0, 100 * span / most):.1f}%",
            f"{_at(one)} · {formats.duration(span)} · {formats.plural(one.rows_loaded, 'row')}",
            routes.to(routes.RUN, org_slug=org, run_id=one.id),
        )
        for one, span in zip(ended, spans, strict=True)
    ]
    good = sorted(
        span for one, span in zip(ended, spans, strict=True) if one.status is RunStatus.SUCCEEDED
    )
    usual = f", usually {formats.duration(good[len(good) // 2])}" if good else ""
    return bars, f"Duration of the last {len(bars)} runs: longest {formats.duration(most)}{usual}"


def _at(one: RunOut) -> str:
    at = one.started_at or one.created_at
    return formats.short(local(at))
