"""Lists of connections and pipelines. Filtered on the server; filters are in the URL."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.schemas.connections import ConnectionOut
from etlfabric_dagster.schemas.health import PipelineListItem
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import connections, overview, pipelines, runs
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes, strings
from etlfabric_ui.state.base import PageState, moment, query_of
from etlfabric_ui.state.catalogue import mark_of, title_of
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import undoable
from etlfabric_ui.state.words import spark
from etlfabric_ui.views.connections import ConnectionRow
from etlfabric_ui.views.overview import PipelineRow
from etlfabric_ui.views.shared import Problem

PAGE = 50


class ConnectionsState(PageState, rx.State):
    """The connections of an org."""

    rows: list[ConnectionRow] = []
    q: str = ""
    query: str = ""
    """The filter, as the URL's query."""
    total: int = 0

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read those that the URL asks for."""
        self.problem = Problem()
        self.q = self.router.url.query_parameters.get("q", "")[:60]
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def search(self, visit: Visit, q: str) -> None:
        """Keep those whose name contains it."""
        self.q = q[:60]
        await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = (await connections.list_connections(scope)).items
            used: dict[str, list[str]] = {}
            for one in (await pipelines.list_pipelines(scope)).items:
                used.setdefault(one.connection or "", []).append(one.name)
        self.total = len(found)
        shown = [one for one in found if self.q.lower() in one.name]
        self.rows = [_connection(one, used.get(one.name, [])) for one in shown]
        self.query = query_of(q=self.q)
        self.loaded = True


class PipelinesState(PageState, rx.State):
    """The pipelines of an org, with how they fare."""

    rows: list[PipelineRow] = []
    q: str = ""
    status: str = ""
    query: str = ""
    """The filters, as the URL's query."""
    total: int = 0

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read them with state, last 14 runs and freshness."""
        self.problem = Problem()
        query = self.router.url.query_parameters
        self.q, self.status = query.get("q", "")[:60], query.get("status", "")
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What changed meanwhile."""
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def filter(self, visit: Visit, q: str, status: str) -> None:
        """Filters stand in the URL, so that the view can be sent to a colleague."""
        self.q, self.status = q[:60], status
        await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def run(self, visit: Visit, name: str) -> Any:
        """Start a run, and go to it."""
        async with org_scope(visit.actor, visit.org) as scope:
            started = await runs.start(scope, name)
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=started.id))

    @rx.event
    @guarded(Role.EDITOR)
    async def pause(self, visit: Visit, name: str, paused: bool) -> Any:
        """Stop or resume its schedule; pausing can be undone for eight seconds."""
        async with org_scope(visit.actor, visit.org) as scope:
            await pipelines.set_paused(scope, name, paused=bool(paused))
        await self._read(visit)
        if not paused:
            return None
        said = strings.PAUSED.format(name=name)
        return undoable(said, PipelinesState, "pause", name, False)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = (await overview.list_pipelines(scope, limit=1000)).items
        self.total = len(found)
        shown = [
            one
            for one in found
            if self.q.lower() in one.name and self.status in ("", str(one.state))
        ]
        rows = [_pipeline(one) for one in shown[: 2 * PAGE]]
        self.query = query_of(q=self.q, status=self.status)
        if rows != self.rows or not self.loaded:
            self.rows = rows
        self.loaded = True


def _connection(one: ConnectionOut, used_by: list[str]) -> ConnectionRow:
    state = "untested" if one.last_check is None else "ready" if one.last_check.ok else "attention"
    connector = registry.get(one.connector).spec
    dialect = str(one.config.get("dialect", ""))
    return ConnectionRow(
        name=one.name,
        connector=title_of(connector, dialect),
        mark=mark_of(one.connector, connector.group, dialect),
        state=state,
        used_by=", ".join(used_by) or formats.UNKNOWN,
        tested=moment(one.checked_at),
        changed=moment(one.updated_at),
    )


def _pipeline(one: PipelineListItem) -> PipelineRow:
    health = one.health
    last = next((o for o in reversed(health.outcomes) if o.status is RunStatus.SUCCEEDED), None)
    shown = last if health.outcomes and health.outcomes[-1] is last else None
    return PipelineRow(
        name=one.name,
        state=str(one.state),
        source=f"from {one.connection}" if one.connection else "dbt models only",
        reason=health.error.message if health.error else "",
        rows=formats.count(shown.rows if shown else None),
        rows_exact=formats.exact(shown.rows if shown else None),
        fresh=moment(health.fresh_at),
        next_run=moment(None if one.paused else health.next_fire_at),
        bars=spark(health.outcomes),
        paused=one.paused,
    )
