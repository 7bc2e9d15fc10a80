"""Data: tables of marts, staging and raw, and their rows, read as the org's own login."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import reflex as rx
from pydantic import ValidationError

from etlfabric_dagster.errors import FabricError, NotFoundError
from etlfabric_dagster.schemas.data import DataLayer, LineageNode, RowFilter, TableDetail
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import data, lineage, pipelines
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state import results
from etlfabric_ui.state.base import PageState, moment, query_of
from etlfabric_ui.state.dbt_models import NODE_STATES, href_of
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.data import (
    Cell,
    ColumnHead,
    ColumnRow,
    FilterChip,
    TableFacts,
    TableRef,
)
from etlfabric_ui.views.shared import Problem

PAGE = 100
COLUMNS = 50
"""Shown beside each other; the others by a press."""
SCHEMAS = ("marts", "staging", "raw")
TABLES = 500
"""Listed in the tree; the search finds the others."""
TABS = tuple(key for key, _ in copy.TABS)


class DataState(PageState, rx.State):
    """The table that the URL names: its rows and columns."""

    tables: list[TableRef] = []
    query: str = ""
    nothing: bool = False
    no_marts: bool = False
    """Something was loaded, and nobody has built on it yet."""
    table: str = ""
    tab: str = "rows"
    facts: TableFacts = TableFacts("", "", "", moment(None))
    size: str = ""
    fetches: str = ""
    """`N:path` of the N-th download."""
    error: Problem = Problem()

    columns: list[ColumnHead] = []
    shown_columns: list[ColumnHead] = []
    columns_said: str = ""
    """“Columns 1–50 of 212”, where not all are shown."""
    more_columns: bool = False
    first_column: int = 0
    rows: list[list[Cell]] = []
    shown: str = ""
    more: bool = False
    page_number: int = 0
    order_by: str = ""
    descending: bool = False
    chips: list[FilterChip] = []
    filter_column: str = ""
    filter_kind: str = "contains"
    address: str = ""
    """Tab, order and filters, as the URL's query."""
    cell_title: str = ""
    cell_text: str = ""

    column_rows: list[ColumnRow] = []
    _filters: list[dict[str, str]] = []
    _cursors: list[str] = []
    _next: str = ""
    _places: list[str] = []
    _downloads: int = 0

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> Any:
        """The tree, and what the URL asks of its table."""
        self.problem, self.error, self.fetches = Problem(), Problem(), ""
        schema, name = named(str(self.router.url))
        await self._read_tree(visit)
        if not name:
            self.loaded = True
            first = next(iter(self.tables), None)
            if first is None:
                self.nothing, self.table = True, ""
                return None
            base = routes.to(routes.DATA, org_slug=visit.org)
            return rx.redirect(f"{base}/{first.schema}/{quote(first.name)}", replace=True)
        if f"{schema}.{name}" != self.table:
            self._forget()
        given = self.router.url.query_parameters
        self.tab = given.get("tab", "") if given.get("tab") in TABS else "rows"
        await self._describe(visit, schema, name)
        self._read_url(given)
        self.loaded = True
        await self._read_tab(visit)
        return None

    @rx.event
    @guarded(Role.VIEWER)
    async def search(self, visit: Visit, query: str) -> None:
        """Tables whose name contains it."""
        self.query = query[:60]
        await self._read_tree(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def sort(self, visit: Visit, column: str) -> None:
        """By a column: upwards, downwards, and back to no order."""
        if column != self.order_by:
            self.order_by, self.descending = column, False
        elif not self.descending:
            self.descending = True
        else:
            self.order_by, self.descending = "", False
        await self._from_the_first(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def add_filter(self, visit: Visit, form: dict[str, Any]) -> None:
        """Keep rows by a column."""
        one = {key: str(form.get(key, ""))[:500] for key in ("column", "kind", "value")}
        if one["kind"] in copy.FILTERS and one["column"] in [head.name for head in self.columns]:
            kept = [old for old in self._filters if old["column"] != one["column"]]
            self._filters = [*kept, one]
        await self._from_the_first(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def drop_filter(self, visit: Visit, column: str) -> None:
        """Without the filter of a column; "" drops all."""
        self._filters = [one for one in self._filters if column and one["column"] != column]
        await self._from_the_first(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def turn(self, visit: Visit, by: int) -> None:
        """The page behind or before."""
        if by > 0 and self._next:
            self._cursors, self.page_number = [*self._cursors, self._next], self.page_number + 1
        elif by < 0 and self.page_number:
            self._cursors, self.page_number = self._cursors[:-1], self.page_number - 1
        await self._read_rows(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def turn_columns(self, visit: Visit, by: int) -> None:
        """The columns behind or before."""
        wanted = self.first_column + (COLUMNS if by > 0 else -COLUMNS)
        if 0 <= wanted < len(self.columns):
            self.first_column = wanted
            self._show_columns()
            await self._read_rows(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def open_cell(self, visit: Visit, row: int, column: int) -> None:
        """One value, whole."""
        self.error = Problem()
        if not (0 <= row < len(self._places) and 0 <= column < len(self.shown_columns)):
            return
        name = self.shown_columns[column].name
        schema, _, table = self.table.partition(".")
        if self._places[row]:
            try:
                text = await data.value(
                    visit.actor, visit.org, DataLayer(schema), table, name, self._places[row]
                )
            except FabricError as exc:
                self.error = problem_of(exc)
                return
        else:
            text = self.rows[row][column].text
        self.cell_title, self.cell_text = name, _pretty(text)

    @rx.event
    @guarded(Role.VIEWER)
    async def close_cell(self, _visit: Visit) -> None:
        """Back to the rows."""
        self.cell_title = self.cell_text = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def download(self, visit: Visit) -> None:
        """The whole table, streamed by the API to this browser's session: the page may not
        evaluate script, so it is told by an attribute that models.js watches.
        """
        schema, _, table = self.table.partition(".")
        async with org_scope(visit.actor, visit.org) as scope:
            scope.require_active()
            await data.describe(scope, data.layer_named(schema), table)
        path = f"/api/v1/orgs/{visit.org}/data/{schema}/{quote(table, safe='')}/csv"
        self._downloads += 1
        self.fetches = f"{self._downloads}:{path}"

    async def _read_tree(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = (await data.list_tables(scope, q=self.query or None, limit=TABLES)).items
        self.nothing = not found and not self.query
        marts = any(one.db_schema == "marts" for one in found)
        self.no_marts = bool(found) and not marts and not self.query
        self.tables = sorted(
            (
                TableRef(
                    str(one.db_schema),
                    one.name,
                    "view" if one.kind == "view" else formats.estimate(one.rows_estimate),
                    f"{one.db_schema}.{one.name}" == self.table,
                )
                for one in found
            ),
            key=lambda one: (SCHEMAS.index(one.schema), one.name),
        )

    async def _describe(self, visit: Visit, schema: str, name: str) -> None:
        """The head of the page and the columns; small things that the catalog knows."""
        layer = data.layer_named(schema)
        async with org_scope(visit.actor, visit.org) as scope:
            detail = await data.describe(scope, layer, name)
            try:
                graph = await lineage.graph(scope, focus=f"{schema}.{name}", depth=0)
            except NotFoundError:  # a table that no pipeline loads any more
                graph = None
            node = graph.nodes[0] if graph else None
            policies: dict[str, str] = {}
            for pipeline in node.pipelines if node and layer is DataLayer.RAW else ():
                for one in (await pipelines.get(scope, pipeline)).streams:
                    if one.table == name:
                        policies |= {key: str(kept.policy) for key, kept in one.columns.items()}
        self.table = f"{schema}.{name}"
        self.facts = _facts(visit.org, detail, node)
        self.columns = results.heads(detail.column_list)
        if self.first_column >= len(self.columns):
            self.first_column = 0
        self._show_columns()
        self.column_rows = [
            ColumnRow(
                one.name,
                one.type,
                "yes" if one.nullable else "no",
                policies.get(one.name, "keep") if layer is DataLayer.RAW else formats.UNKNOWN,
                "",
            )
            for one in detail.column_list
        ]
        self._estimate = detail.rows_estimate
        self.tables = [
            TableRef(one.schema, one.name, one.rows, f"{one.schema}.{one.name}" == self.table)
            for one in self.tables
        ]

    _estimate: int | None = None

    def _show_columns(self) -> None:
        first, total = self.first_column, len(self.columns)
        self.shown_columns = self.columns[first:][:COLUMNS]
        last = first + len(self.shown_columns)
        self.columns_said = ""
        if total > COLUMNS:
            self.columns_said = f"Columns {formats.share(f'{first + 1}–{last}', total)}"
        self.more_columns = last < total

    async def _read_tab(self, visit: Visit) -> None:
        if self.tab == "rows":
            await self._read_rows(visit)

    async def _read_rows(self, visit: Visit) -> None:
        schema, _, name = self.table.partition(".")
        try:
            found = await data.page(
                visit.actor,
                visit.org,
                DataLayer(schema),
                name,
                order_by=self.order_by or None,
                descending=self.descending,
                filters=tuple(RowFilter(**one) for one in self._filters),
                cursor=self._cursors[-1] if self._cursors else None,
                limit=PAGE,
            )
        except FabricError as exc:
            self.error, self.rows, self.shown = problem_of(exc), [], ""
            self.more = False
            return
        self.error = Problem()
        right = [head.right for head in self.shown_columns]
        span = slice(self.first_column, self.first_column + COLUMNS)
        self.rows = [
            [results.cell(value, num) for value, num in zip(row[span], right, strict=True)]
            for row in found.rows
        ]
        self._places, self._next = list(found.places), found.next or ""
        self.more = bool(found.next)
        start = self.page_number * PAGE
        self.shown = f"{start + 1:,}–{start + len(self.rows):,}" if self.rows else ""
        if not self._filters:
            whole = self._estimate if found.next or self.page_number else len(self.rows)
            self.size = ""
            if whole is not None and self.rows:
                about = formats.size(round(found.mean_bytes * whole))
                self.size = f"≈{formats.NBSP}{about}"

    def _read_url(self, given: Any) -> None:
        """Order and filters from the URL; what names no column is left out."""
        names = [head.name for head in self.columns]
        sort = given.get("sort", "")
        column = sort.removeprefix("-")
        self.order_by = column if column in names else ""
        self.descending = bool(self.order_by) and sort.startswith("-")
        self._filters = [one for one in _filters(given.get("where", "")) if one["column"] in names]
        if not self.filter_column and names:
            self.filter_column = names[0]
        self._begin()

    async def _from_the_first(self, visit: Visit) -> None:
        """In another order or by other filters."""
        self.error = Problem()
        self._begin()
        await self._read_rows(visit)

    def _begin(self) -> None:
        self.chips = [
            FilterChip(one["column"], f"{one['column']} {copy.FILTERS[one['kind']]} {one['value']}")
            for one in self._filters
        ]
        self._cursors, self.page_number = [], 0
        self.address = query_of(
            tab="" if self.tab == "rows" else self.tab,
            sort=("-" if self.descending else "") + self.order_by,
            where=json.dumps(self._filters) if self._filters else "",
        )

    def _forget(self) -> None:
        """Another table comes."""
        self.rows, self.first_column = [], 0
        self.size = self.shown = self.filter_column = self.cell_title = self.cell_text = ""


def named(url: str) -> tuple[str, str]:
    """Schema and table of a URL of this page."""
    _, _, rest = urlsplit(url).path.partition("/data")
    schema, _, name = rest.strip("/").partition("/")
    return unquote(schema), unquote(name)


def _filters(text: str) -> list[dict[str, str]]:
    try:
        found = [RowFilter.model_validate(one) for one in json.loads(text or "[]")]
    except (ValueError, TypeError, ValidationError):
        return []
    return [one.model_dump() for one in found if one.kind in copy.FILTERS]


def _facts(org: str, detail: TableDetail, node: LineageNode | None) -> TableFacts:
    schema, name = str(detail.db_schema), detail.name
    graph = routes.to(routes.LINEAGE, org_slug=org)
    return TableFacts(
        schema=schema,
        name=name,
        rows="view"
        if detail.kind == "view"
        else f"{formats.estimate(detail.rows_estimate)}{formats.NBSP}rows",
        fresh=moment(node.fresh_at if node else None),
        state=NODE_STATES[node.state] if node else "",
        sql_href=href_of(org, node.path) if node and node.path else "",
        lineage_href=f"{graph}?{urlencode({'focus': f'{schema}.{name}'})}" if node else "",
    )


def _pretty(text: str | None) -> str:
    """JSON in lines; everything else as it is."""
    if text is None:
        return "NULL"
    if text[:1] in "{[":
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return text if text else "''"
