"""Data: how full and how varied a table's columns are."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.data import Profile
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import data
from etlfabric_ui import formats
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.data import named
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.data import ProfileRow
from etlfabric_ui.views.shared import Problem

SAMPLE = 10_000


class ProfileState(PageState, rx.State):
    """The profile of the table that the URL names."""

    rows: list[ProfileRow] = []
    said: str = ""
    """“From a sample of 10,000 rows”."""
    sampled: bool = False
    _table: str = ""
    _asked: int = 0

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def look(self, visit: Visit, whole: bool) -> Any:
        """Look at the values: of a sample, or of all rows."""
        async with self:
            schema, name = named(str(self.router.url))
            if self._table != f"{schema}.{name}":
                self._table, self.rows, self.said, self.sampled = f"{schema}.{name}", [], "", False
            self._asked += 1
            number, self.busy, self.problem = self._asked, "profile", Problem()
        found = refused = None
        try:
            layer, limit = data.layer_named(schema), None if whole else SAMPLE
            found = await data.profile(visit.actor, visit.org, layer, name, limit=limit)
        except FabricError as exc:
            refused = exc
        async with self:
            if number != self._asked:
                return
            self.busy = ""
            if refused is not None:
                self.problem = problem_of(refused)
            elif found is not None:
                self.rows = _rows(found)
                said = copy.ALL_ROWS if found.complete else copy.SAMPLED
                self.said = said.format(rows=formats.exact(found.rows))
                self.sampled = not found.complete

    @rx.event
    @guarded(Role.VIEWER)
    async def stop(self, _visit: Visit) -> None:
        """Wait no longer; the statement itself ends by its time limit."""
        self._asked += 1
        self.busy = ""


def _rows(found: Profile) -> list[ProfileRow]:
    return [
        ProfileRow(
            name=one.name,
            type=one.type,
            nulls=formats.percent(one.nulls, found.rows),
            distinct=formats.exact(one.distinct),
            least=_value(one.min),
            greatest=_value(one.max),
            top=[f"{times:,} × {_value(text)}" for text, times in one.top if times > 1],
        )
        for one in found.columns
    ]


def _value(text: str | None) -> str:
    return formats.UNKNOWN if text is None else text or "''"
