"""A pipeline's schema changes: what runs found, and what waits for a decision."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.discovered import PendingColumn
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.streams import ColumnDecision, SchemaChangeOut
from etlfabric_dagster.services import edits, schema_changes
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.views.shared import Problem
from etlfabric_ui.views.streams import ChangeRow

PAGE = 50
NAMED = 4
DECISIONS = {"taken": "Taken", "ignored": "Ignored", "refused": "Refused"}


class PipelineChanges(PageState, rx.State):
    """The tab with the schema changes."""

    pipeline: str = ""
    pending: list[ChangeRow] = []
    rows: list[ChangeRow] = []
    said: str = ""
    cursor: str = ""
    next_cursor: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """What waits, and a page of what was found."""
        query = self.router.url.query_parameters
        wanted = getattr(self, "pipeline_name", "")
        if wanted != self.pipeline:
            self.loaded, self.pipeline = False, wanted
        self.problem, self.said, self.cursor = Problem(), "", query.get("cursor", "")
        await self._read(visit)
        self.loaded = True

    @rx.event
    @guarded(Role.EDITOR)
    async def decide(self, visit: Visit, stream: str, column: str, accept: bool) -> Any:
        """Load the column from the next run on, or leave it out for good."""
        async with org_scope(visit.actor, visit.org) as scope:
            await self._decide(scope, stream, column, accept=bool(accept))
        self.said = _decided(1, accept=bool(accept))
        await self._read(visit)
        return PipelineState.poll("")  # pyright: ignore

    @rx.event
    @guarded(Role.EDITOR)
    async def decide_all(self, visit: Visit, accept: bool) -> Any:
        """The same for every column that waits."""
        async with org_scope(visit.actor, visit.org) as scope:
            waiting = await edits.pending_columns(scope, self.pipeline)
            for one in waiting:
                await self._decide(scope, one.stream, one.column, accept=bool(accept))
        self.said = _decided(len(waiting), accept=bool(accept))
        await self._read(visit)
        return PipelineState.poll("")  # pyright: ignore

    async def _decide(self, scope: OrgScope, stream: str, column: str, *, accept: bool) -> None:
        decision = ColumnDecision.ACCEPT if accept else ColumnDecision.IGNORE
        await schema_changes.decide(scope, self.pipeline, stream, column, decision)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            waiting = await edits.pending_columns(scope, self.pipeline)
            page = await schema_changes.list_changes(
                scope, self.pipeline, cursor=self.cursor or None, limit=PAGE
            )
            streams = {one.stream for one in (*waiting, *page.items)}
            users = {name: await self._used_by(scope, name) for name in streams}
        self.pending = [_waiting(one, users[one.stream]) for one in waiting]
        self.rows = [_found(one, users[one.stream]) for one in page.items]
        self.next_cursor = page.next or ""

    async def _used_by(self, scope: OrgScope, stream: str) -> tuple[str, ...]:
        try:
            return await edits.rebuilt_after(scope, self.pipeline, stream)
        except NotFoundError:
            return ()


def _decided(count: int, *, accept: bool) -> str:
    columns = formats.plural(count, "column")
    if accept:
        return f"{columns} accepted. Takes effect at the next run."
    return f"{columns} ignored for good."


def _waiting(one: PendingColumn, users: tuple[str, ...]) -> ChangeRow:
    return ChangeRow(
        found=moment(one.found_at),
        stream=one.stream,
        change=f"+ {one.column} {one.type or ''}".strip(),
        effect=f"{one.stream} waits; its rows are kept",
        used_by=_names(users),
        decision="",
        column=one.column,
        pending=True,
    )


def _found(one: SchemaChangeOut, users: tuple[str, ...]) -> ChangeRow:
    return ChangeRow(
        found=moment(one.found_at),
        stream=one.stream,
        change=change_in_words(one),
        effect=effect_in_words(one, len(users)),
        used_by=_names(users),
        decision=DECISIONS.get(one.decision, one.decision.capitalize()),
        column=one.column or "",
    )


def change_in_words(one: SchemaChangeOut) -> str:
    """“+ discount_code text”, “− fax”, “amount int → text”."""
    if one.change == "table_added":
        return f"+ table {one.table}"
    if one.change == "removed":
        return f"− {one.column}"
    if one.old_type:
        return f"{one.column} {one.old_type} → {one.new_type}"
    return f"+ {one.column} {one.new_type or ''}".strip()


def effect_in_words(one: SchemaChangeOut, users: int) -> str:
    """What it does to the table and to what is built on it."""
    if one.decision == "refused":
        return f"{one.stream} was not loaded; its rows are kept"
    if one.decision == "ignored":
        return "Not loaded"
    if one.change == "removed":
        return "Kept, filled with NULL"
    if one.change in ("type_changed", "widened") and users:
        return f"May break {formats.plural(users, 'dbt model')}"
    return {"widened": "Column widened", "type_changed": "Type changed"}.get(one.change, "Loaded")


def _names(users: tuple[str, ...]) -> str:
    shown = ", ".join(users[:NAMED])
    return f"{shown} and {len(users) - NAMED} more" if len(users) > NAMED else shown or "—"
