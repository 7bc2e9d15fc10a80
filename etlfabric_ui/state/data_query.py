"""Data: a query of one's own beside the tables, read-only."""

from __future__ import annotations

import time
from typing import Any

import reflex as rx

from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import data, dbt_models, lineage
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state import results
from etlfabric_ui.state.asking import AskingState, answer
from etlfabric_ui.state.dbt_models import completions_of
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.data import Cell, ColumnHead, Completion
from etlfabric_ui.views.shared import Problem

MOST_ROWS = 1_000
SHOWN = 100


class QueryState(AskingState, rx.State):
    """The SQL tab. It is of the org, not of the table beside which it stands."""

    completions: list[Completion] = []
    keep: str = ""
    columns: list[ColumnHead] = []
    rows: list[list[Cell]] = []
    said: str = ""
    _answer: list[list[Any]] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def prepare(self, visit: Visit) -> None:
        """Names to complete; whose text the browser keeps."""
        async with org_scope(visit.actor, visit.org) as scope:
            whole, columns = await lineage.graph(scope), await data.columns_of(scope)
        self.completions = completions_of(whole, columns)
        keep = f"{visit.actor.user_id}:{visit.org}"
        if keep != self.keep:
            self.columns, self.rows, self.said = [], [], ""
        self.keep, self.problem = keep, Problem()

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def run(self, visit: Visit, sql: str) -> Any:
        """Rows of a select, as the read-only login."""
        async with self:
            number = self._begin("query")
        began = time.perf_counter()
        asked = dbt_models.query(visit.actor, visit.org, sql, limit=MOST_ROWS)
        found, refused = await answer(asked)
        async with self:
            if self._ended(number, refused) and found is not None:
                self._show(found, formats.duration(time.perf_counter() - began))

    @rx.event
    @guarded(Role.VIEWER)
    async def download(self, _visit: Visit) -> Any:
        """The query's rows as CSV, at most 1,000."""
        text = results.csv_of([one.name for one in self.columns], self._answer)
        return rx.download(data=text, filename="query.csv")

    def _show(self, found: TableResult, took: str) -> None:
        self.columns = results.heads(found.columns)
        self.rows = results.cells(found)[:SHOWN]
        self._answer = [list(row) for row in found.rows]
        rows = formats.plural(len(found.rows), "row")
        said = copy.FIRST_ONLY if len(found.rows) > SHOWN else copy.PREVIEWED
        self.said = said.format(rows=rows, took=took, limit=SHOWN)
