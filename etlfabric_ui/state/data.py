"""Data: tables of marts, staging and raw, and their rows, read as the org's read-only login."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import dbt_models
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views import Cell, ColumnHead, Problem, TableRef

PAGE = 100
SCHEMAS = ("marts", "staging", "raw")
LONG = 200
NUMERIC = ("int", "numeric", "double", "real", "bigint", "smallint", "float")

TABLES = """
select n.nspname, c.relname, c.relkind::text, c.reltuples::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname ~ '^tenant_[0-9a-f]{32}_(marts|staging|raw)$'
  and c.relkind in ('r', 'v', 'm', 'p') and c.relname !~ '^_dlt'
  and has_table_privilege(c.oid, 'select')
order by 1, 2
"""
"""What the login may read: its org's own schemas only."""


class DataState(PageState, rx.State):
    """The table that the URL names, one page of it."""

    tables: list[TableRef] = []
    query: str = ""
    table: str = ""
    columns: list[ColumnHead] = []
    rows: list[list[Cell]] = []
    page_number: int = 0
    more: bool = False
    shown: str = ""
    _every: list[TableRef] = []
    _schemas: dict[str, str] = {}
    """Short name → schema in the database."""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The list, and the rows of the table in the URL."""
        self.problem = Problem()
        found = await dbt_models.query(visit.actor, visit.org, TABLES, limit=1000)
        self._schemas = {_short(str(row[0])): str(row[0]) for row in found.rows}
        self._every = _tables(found)
        wanted = self.router.url.query_parameters.get("table", "")
        names = [f"{one.schema}.{one.name}" for one in self._every]
        self.table = wanted if wanted in names else next(iter(names), "")
        self.page_number, self.query = 0, ""
        self._filter()
        self.loaded = True
        if self.table:
            await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def search(self, _visit: Visit, query: str) -> None:
        """Tables whose name contains it."""
        self.query = query[:60]
        self._filter()

    @rx.event
    @guarded(Role.VIEWER)
    async def turn(self, visit: Visit, by: int) -> None:
        """Another page of rows."""
        self.page_number = max(0, self.page_number + (1 if by > 0 else -1))
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def open(self, visit: Visit, table: str) -> Any:
        """Another table."""
        if table in [f"{one.schema}.{one.name}" for one in self._every]:
            self.table, self.page_number = table, 0
            self._filter()
            await self._read(visit)
            base = routes.to(routes.DATA, org_slug=visit.org)
            return rx.redirect(f"{base}?table={table}", replace=True)
        return None

    async def _read(self, visit: Visit) -> None:
        schema, _, name = self.table.partition(".")
        offset = self.page_number * PAGE
        source = f"{_quoted(self._schemas[schema])}.{_quoted(name)}"
        sql = f"select * from {source} order by 1 limit {PAGE + 1} offset {offset}"  # noqa: S608
        found = await dbt_models.query(visit.actor, visit.org, sql, limit=PAGE + 1)
        self.columns = [
            ColumnHead(one.name, one.type, one.type.startswith(NUMERIC)) for one in found.columns
        ]
        self.more = len(found.rows) > PAGE
        self.rows = [[_cell(value) for value in row] for row in found.rows[:PAGE]]
        last = offset + len(self.rows)
        self.shown = f"{offset + 1:,}–{last:,}" if self.rows else "No rows"

    def _filter(self) -> None:
        self.tables = [
            TableRef(one.schema, one.name, one.rows, f"{one.schema}.{one.name}" == self.table)
            for one in self._every
            if self.query.lower() in one.name
        ]


def _tables(found: TableResult) -> list[TableRef]:
    """Marts first. Views have no estimate."""
    refs = [
        TableRef(
            _short(str(schema)), str(name), formats.estimate(int(rows)) if kind == "r" else "view"
        )
        for schema, name, kind, rows in found.rows
    ]
    return sorted(refs, key=lambda one: (SCHEMAS.index(one.schema), one.name))


def _short(schema: str) -> str:
    """`tenant_…_marts` → `marts`."""
    return schema.rpartition("_")[2]


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("NULL", "null")
    if isinstance(value, bool):
        return Cell(str(value).lower())
    if isinstance(value, int | float):
        return Cell(f"{value:,}" if isinstance(value, int) else str(value), "num")
    text = str(value)
    return Cell("''", "null") if text == "" else Cell(text[:LONG])


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
