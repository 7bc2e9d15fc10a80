"""Below the editor: preview, compiled SQL, tests, changes, used by."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster.errors import FabricError, NotFoundError
from etlfabric_dagster.schemas.dbt_models import DbtTestOut, DbtVersion, TableResult
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import (
    dbt_editing,
    dbt_history,
    dbt_models,
    dbt_test_files,
    dbt_tests,
    lineage,
)
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state import diffs, results
from etlfabric_ui.state.asking import AskingState, answer
from etlfabric_ui.state.base import moment
from etlfabric_ui.state.dbt_models import NODE_STATES, DbtModelsState, href_of, path_in
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.data import Cell, ColumnHead, DiffRow, LinkRow, TestRow, VersionRow
from etlfabric_ui.views.shared import Problem

ROWS = 20
FAILING_ROWS = 100
KEYS = tuple(key for key, _ in copy.PANELS)
TEST_STATES = {
    "pass": "succeeded",
    "fail": "failed",
    "error": "failed",
    "warn": "warning",
    "skipped": "skipped",
}


class DbtPanelsState(AskingState, rx.State):
    """What is known about the open file. Errors of its SQL are told beside the result."""

    panel: str = "preview"
    path: str = ""
    error: Problem = Problem()
    error_line: int = 0
    columns: list[ColumnHead] = []
    rows: list[list[Cell]] = []
    said: str = ""
    compiled: str = ""
    tests: list[TestRow] = []
    test_columns: list[str] = []
    test_kind: str = "not_null"
    test_note: str = ""
    failing_of: str = ""
    failing_columns: list[ColumnHead] = []
    failing_rows: list[list[Cell]] = []
    versions: list[VersionRow] = []
    diff: list[DiffRow] = []
    diff_of: str = ""
    used_by: list[LinkRow] = []
    _shown: list[list[Any]] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The panel that the URL names, of the file that it names."""
        self.problem = Problem()
        path = path_in(str(self.router.url))
        if path != self.path:
            self._forget()
            self.path = path
        wanted = self.router.url.query_parameters.get("panel", "")
        panel = wanted if wanted in KEYS else "preview"
        if panel != self.panel:
            self.panel, self.error, self.error_line = panel, Problem(), 0
        if path:
            await self._read(visit)
        self.loaded = True

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def preview(self, visit: Visit, text: str) -> Any:
        """First rows of the model with the editor's text, read-only."""
        number, path = await self._open("preview")
        began = time.perf_counter()
        asked = dbt_models.preview(visit.actor, visit.org, path, limit=ROWS, content=text)
        found, refused = await answer(asked)
        async with self:
            if not self._ended(number):
                return
            if found is not None:
                self.columns, self.rows = results.heads(found.columns), results.cells(found)
                self._shown = [list(row) for row in found.rows]
                self.said = _said(found, time.perf_counter() - began)
            await self._tell(refused)

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def compile(self, visit: Visit, text: str) -> Any:
        """The SQL that Postgres gets for the editor's text."""
        number, path = await self._open("compiled")
        asked = dbt_models.compiled(visit.actor, visit.org, path, content=text)
        found, refused = await answer(asked)
        async with self:
            if not self._ended(number):
                return
            if found is not None:
                self.compiled = found.compiled_sql.strip()
            await self._tell(refused)

    @rx.event
    @guarded(Role.VIEWER)
    async def clear(self, _visit: Visit) -> None:
        """What was wrong with the text before."""
        self.error, self.error_line = Problem(), 0

    @rx.event
    @guarded(Role.VIEWER)
    async def download(self, _visit: Visit) -> Any:
        """The previewed rows as CSV."""
        text = results.csv_of([one.name for one in self.columns], self._shown)
        name = self.path.rpartition("/")[2].rpartition(".")[0]
        return rx.download(data=text, filename=f"{name}-preview.csv")

    @rx.event
    @guarded(Role.EDITOR)
    async def run_tests(self, visit: Visit) -> Any:
        """A run of this model's tests and nothing else."""
        async with org_scope(visit.actor, visit.org) as scope:
            run = await dbt_tests.run(scope, self.path)
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=run.id))

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def show_failing(self, visit: Visit, unique_id: str) -> Any:
        """Rows that a test finds now."""
        number, path = await self._open("failing")
        asked = dbt_tests.failing_rows(visit.actor, visit.org, path, unique_id, limit=FAILING_ROWS)
        found, refused = await answer(asked)
        async with self:
            if not self._ended(number):
                return
            if found is not None:
                self.failing_columns = results.heads(found.columns)
                self.failing_rows = results.cells(found)
                self.failing_of = next((t.name for t in self.tests if t.id == unique_id), "")
            await self._tell(refused)

    @rx.event
    @guarded(Role.VIEWER)
    async def choose_kind(self, _visit: Visit, kind: str) -> None:
        """The form asks for what this kind of test needs."""
        self.test_kind = kind if kind in copy.TESTS else "not_null"

    @rx.event(background=True)
    @guarded(Role.EDITOR)
    async def add_test(self, visit: Visit, form: dict[str, Any]) -> Any:
        """Write the test into the YAML file beside the model."""
        number, path = await self._open("test")
        async with self:
            kind = self.test_kind  # the form shows it a moment late, after the last choice
        values = tuple(v.strip() for v in str(form.get("values", "")).split(",") if v.strip())
        asked = dbt_test_files.add(
            visit.actor,
            visit.org,
            path,
            str(form.get("column", "")).strip(),
            kind,
            values=values,
            to=str(form.get("to", "")).strip(),
            field=str(form.get("field", "")).strip(),
        )
        file, refused = await answer(asked)
        async with self:
            if not self._ended(number):
                return
            if file is not None:
                self.test_note = copy.TEST_ADDED.format(path=file.path)
                await self._read(visit)
            await self._tell(refused)

    @rx.event
    @guarded(Role.VIEWER)
    async def show_diff(self, visit: Visit, version: str) -> None:
        """From a version to the stored file."""
        async with org_scope(visit.actor, visit.org) as scope:
            old = await dbt_history.get(scope, self.path, _uuid(version))
            try:
                now = dbt_editing.text_of(await dbt_models.get(scope, self.path))
            except NotFoundError:  # deleted
                now = ""
        self.diff = diffs.side_by_side(old.content or "", now)
        self.diff_of = str(old.id)

    @rx.event(background=True)
    @guarded(Role.EDITOR)
    async def restore(self, visit: Visit, version: str) -> Any:
        """Store an older version again, as a new one."""
        number, path = await self._open("restore")
        _, refused = await answer(_restored(visit, path, version))
        async with self:
            if not self._ended(number):
                return None
            self.diff, self.diff_of = [], ""
            await self._read(visit)
            await self._tell(refused)
        return DbtModelsState.load

    async def _open(self, what: str) -> tuple[int, str]:
        """Its panel is shown while it is under way; the number of what is asked, and the file."""
        async with self:
            self.error, self.error_line, self.test_note = Problem(), 0, ""
            if what in KEYS:
                self.panel = what
            return self._begin(what), self.path

    async def _tell(self, refused: FabricError | None) -> None:
        """Beside the result; the editor underlines the line that the refusal names."""
        if refused is not None:
            self.error = problem_of(refused)
            if refused.where.get("path") in (None, self.path):
                self.error_line = int(refused.where.get("line") or 0)
        files = await self.get_state(DbtModelsState)
        files.error, files.error_line = Problem(), self.error_line

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            try:
                model = await dbt_models.get(scope, self.path)
            except NotFoundError:  # not stored yet; or missing, which the editor tells
                model = None
            if self.panel == "tests" and model is not None:
                self.tests = [
                    _test(one) for one in (await dbt_tests.list_tests(scope, self.path)).items
                ]
                self.test_columns = await self._columns_of()
            elif self.panel == "changes":
                found = (await dbt_history.list_versions(scope, self.path)).items
                self.versions = [_version(one, n == 0) for n, one in enumerate(found)]
            elif self.panel == "used":
                self.used_by = _used_by(visit.org, self.path, await lineage.graph(scope))

    async def _columns_of(self) -> list[str]:
        files = await self.get_state(DbtModelsState)
        name = self.path.rpartition("/")[2].rpartition(".")[0]
        built = next((one.columns for one in files.completions if one.name == name), [])
        return [one.name for one in built] or [one.name for one in self.columns]

    def _forget(self) -> None:
        self.error, self.error_line, self.said, self.compiled = Problem(), 0, "", ""
        self.columns, self.rows, self._shown = [], [], []
        self.tests, self.versions, self.diff, self.used_by = [], [], [], []
        self.failing_of = self.diff_of = self.test_note = self.busy = ""
        self._asked += 1


async def _restored(visit: Visit, path: str, version: str) -> None:
    await dbt_models.restore(visit.actor, visit.org, path, _uuid(version), draft=True)


def _said(found: TableResult, seconds: float) -> str:
    took = formats.duration(seconds)
    if not found.rows:
        return copy.NO_ROWS.format(took=took)
    rows = formats.plural(len(found.rows), "row")
    if found.truncated:
        return copy.FIRST_ONLY.format(rows=rows, took=took, limit=ROWS)
    return copy.PREVIEWED.format(rows=rows, took=took)


def _test(one: DbtTestOut) -> TestRow:
    state = TEST_STATES.get(one.status or "", "never_run")
    failing = state in ("failed", "warning") and one.status != "error"
    said = f"{one.failures:,} rows fail" if failing and one.failures else one.message or ""
    return TestRow(
        one.unique_id, one.name, one.column or "", state, said, moment(one.tested_at), failing
    )


def _version(one: DbtVersion, newest: bool) -> VersionRow:
    return VersionRow(
        id=str(one.id),
        author=one.author or formats.UNKNOWN,
        action=copy.ACTIONS.get(one.action, one.action),
        at=moment(one.created_at),
        lines=formats.plural(one.lines, "line"),
        restorable=one.action != "delete",
        current=newest,
    )


def _used_by(org: str, path: str, graph: Any) -> list[LinkRow]:
    own = {node.id for node in graph.nodes if node.path == path}
    below = {child for parent, child in graph.edges if parent in own}
    return [
        LinkRow(node.id, href_of(org, node.path), NODE_STATES[node.state])
        for node in graph.nodes
        if node.id in below and node.path
    ]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise NotFoundError("There is no such version.", "Choose one of the list.") from exc
