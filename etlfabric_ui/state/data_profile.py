"""Data: how full and how varied a table's columns are."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.schemas.data import Profile
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import data
from etlfabric_ui import formats
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.asking import AskingState, answer
from etlfabric_ui.state.data import named
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.data import ProfileRow

SAMPLE = 10_000


class ProfileState(AskingState, rx.State):
    """The profile of the table that the URL names."""

    rows: list[ProfileRow] = []
    said: str = ""
    """“From a sample of 10,000 rows”."""
    sampled: bool = False
    _table: str = ""

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def look(self, visit: Visit, whole: bool) -> Any:
        """Look at the values: of a sample, or of all rows."""
        async with self:
            schema, name = named(str(self.router.url))
            if self._table != f"{schema}.{name}":
                self._table, self.rows, self.said, self.sampled = f"{schema}.{name}", [], "", False
            number = self._begin("profile")
        found, refused = await answer(_profile(visit, schema, name, whole=whole))
        async with self:
            if self._ended(number, refused) and found is not None:
                self.rows = _rows(found)
                said = copy.ALL_ROWS if found.complete else copy.SAMPLED
                self.said = said.format(rows=formats.exact(found.rows))
                self.sampled = not found.complete


async def _profile(visit: Visit, schema: str, name: str, *, whole: bool) -> Profile:
    layer, limit = data.layer_named(schema), None if whole else SAMPLE
    return await data.profile(visit.actor, visit.org, layer, name, limit=limit)


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
