"""dbt models: the files of the org's project, and the one that is open in the editor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import reflex as rx

from etlfabric_dagster.errors import EditedMeanwhileError, FabricError, NotFoundError
from etlfabric_dagster.schemas.data import DataLayer, Lineage
from etlfabric_dagster.schemas.dbt_models import DbtModelOut, DbtOrigin
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_dagster.services import data, dbt_editing, dbt_models, lineage
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state import diffs
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.state.zones import local
from etlfabric_ui.views.data import Completion, CompletionColumn, DiffRow, FileRow
from etlfabric_ui.views.shared import Problem

NODE_STATES = {"fine": "succeeded", "late": "late", "failed": "failed", "never": "never_run"}
FOLDERS = ("marts", "staging", "seeds", "snapshots", "macros", "tests", "analyses")
LANGUAGES = {"sql": "sql", "yml": "yaml", "yaml": "yaml"}


class DbtModelsState(PageState, rx.State):
    """The tree, and the open file. What is typed stays in the browser until it is saved."""

    files: list[FileRow] = []
    folders: list[str] = []
    query: str = ""
    staging_tables: int = 0
    completions: list[Completion] = []
    reads: list[Completion] = []
    """What the stored text refers to, with columns."""

    path: str = ""
    name: str = ""
    language: str = ""
    content: str = ""
    version: str = ""
    saved: str = ""
    keep: str = ""
    dirty: bool = False
    read_only: bool = False
    generated: str = ""
    """For a generated file, the sentence that says from what."""
    note: str = ""
    has_rows: bool = False
    deletable: bool = False
    offer: str = ""
    offer_number: int = 0
    error: Problem = Problem()
    error_line: int = 0

    theirs: str = ""
    theirs_version: str = ""
    conflict: str = ""
    comparison: list[DiffRow] = []

    dialog: str = ""
    """`new`, `delete` or ""."""
    dialog_problem: Problem = Problem()
    _every: list[FileRow] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """The tree, and the file that the URL names, unless it is open already."""
        self.problem, self.offer = Problem(), ""
        path = path_in(str(self.router.url))
        await self._read_tree(visit, path)
        if path == self.path and self.loaded:
            await self._refresh(visit)
        else:
            self._forget()
            self.path = ""
            if path:
                await self._open(visit, path)
        self.path, self.loaded = path, True

    @rx.event
    @guarded(Role.VIEWER)
    async def search(self, _visit: Visit, query: str) -> None:
        """Files whose path contains it."""
        self.query = query[:100]
        self._filter()

    @rx.event
    @guarded(Role.VIEWER)
    async def mark_dirty(self, _visit: Visit, path: str, dirty: bool) -> None:
        """The editor tells when its text begins or ceases to differ from the stored one."""
        if path != self.path:
            return
        self.dirty = bool(dirty)
        if dirty:
            self.note = ""

    @rx.event(background=True)
    @guarded(Role.EDITOR)
    async def save(self, visit: Visit, text: str, version: str) -> Any:
        """Parse and store; what does not compile is kept as a draft."""
        async with self:
            self.busy, self.error, self.error_line, self.note = "save", Problem(), 0, ""
            path = self.path
        stored = refused = None
        try:
            stored = await dbt_models.put(
                visit.actor, visit.org, path, text, draft=True, expected=version
            )
        except FabricError as exc:
            refused = exc
        async with self:
            self.busy = ""
            if path != self.path:  # another file is open by now
                return
            if isinstance(refused, EditedMeanwhileError):
                await self._came_second(visit, refused)
            elif refused is not None:
                self._tell(refused)
            elif stored is not None:
                self._stored(stored)
                await self._read_tree(visit, path)

    @rx.event(background=True)
    @guarded(Role.EDITOR)
    async def format(self, visit: Visit, text: str) -> Any:
        """Offer the text in one style; nothing is stored."""
        async with self:
            self.busy = "format"
        refused, offered = None, ""
        try:
            offered = await dbt_editing.format_sql(visit.actor, visit.org, text)
        except FabricError as exc:
            refused = exc
        async with self:
            self.busy, self.error, self.error_line = "", Problem(), 0
            if refused is not None:
                self._tell(refused)
            else:
                self._offer(offered)

    @rx.event
    @guarded(Role.EDITOR)
    async def copy_to_edit(self, _visit: Visit) -> None:
        """Unlock a generated file; it becomes the org's own when it is saved."""
        self.read_only, self.generated, self.note = False, "", copy.COPIED

    @rx.event
    @guarded(Role.EDITOR)
    async def take_theirs(self, _visit: Visit) -> None:
        """Drop what was typed for what was saved meanwhile."""
        self.content, self.version = self.theirs, self.theirs_version
        self.saved = self.theirs_version
        self._offer(self.theirs)
        self.conflict, self.comparison = "", []

    @rx.event
    @guarded(Role.VIEWER)
    async def close_comparison(self, _visit: Visit) -> None:
        """Back to one's own text."""
        self.comparison = []

    @rx.event
    @guarded(Role.VIEWER)
    async def compare(self, _visit: Visit, text: str) -> None:
        """What was saved meanwhile beside what was typed, which the editor gives."""
        self.comparison = diffs.side_by_side(self.theirs, text)

    @rx.event
    @guarded(Role.VIEWER)
    async def open_dialog(self, _visit: Visit, dialog: str) -> None:
        """`new`, `delete`, or "" to close."""
        self.dialog = dialog if dialog in ("new", "delete") else ""
        self.dialog_problem = Problem()

    @rx.event
    @guarded(Role.EDITOR)
    async def create(self, visit: Visit, form: dict[str, Any]) -> Any:
        """Open an editor for a file that does not exist yet; it is stored when it is saved."""
        name = str(form.get("name", "")).strip()
        folder = str(form.get("folder", "marts"))
        if "." not in name:
            name += ".csv" if folder == "seeds" else ".sql"
        path = f"{folder}/{name}"
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                await dbt_editing.check_new(scope, path)
        except FabricError as exc:
            self.dialog_problem = problem_of(exc)
            return None
        self.dialog = ""
        return rx.redirect(f"{href_of(visit.org, path)}?new=1")

    @rx.event
    @guarded(Role.EDITOR)
    async def delete(self, visit: Visit, form: dict[str, Any]) -> Any:
        """Delete the open file, whose name was typed."""
        if str(form.get("typed", "")).strip() != self.name:
            self.dialog_problem = Problem("error", copy.NAME_DIFFERS)
            return None
        try:
            await dbt_models.delete(visit.actor, visit.org, self.path)
        except FabricError as exc:
            self.dialog_problem = problem_of(exc)
            return None
        self.dialog, self.path = "", ""
        return rx.redirect(routes.to(routes.DBT_MODELS, org_slug=visit.org))

    async def _read_tree(self, visit: Visit, path: str) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            models = (await dbt_models.list_models(scope)).items
            graph = await lineage.graph(scope)
            columns = await data.columns_of(scope)
        states = {one.path: NODE_STATES[one.state] for one in graph.nodes if one.path}
        self._every = [_file(visit.org, one, states, path) for one in models]
        self.staging_tables = sum(one.locked and one.path.endswith(".sql") for one in self._every)
        self.completions = completions_of(graph, columns)
        self._filter()

    async def _open(self, visit: Visit, path: str) -> None:
        self.keep = f"{visit.actor.user_id}:{visit.org}"
        may_write = visit.role is not None and visit.role.may(Role.EDITOR)
        self.name = path.rpartition("/")[2].rpartition(".")[0]
        self.language = LANGUAGES.get(path.rpartition(".")[2], "")
        self.read_only = not may_write
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                model = await dbt_models.get(scope, path)
                graph = await lineage.graph(scope)
        except NotFoundError:
            if not (may_write and self.router.url.query_parameters.get("new")):
                raise
            self._open_new(path)
            return
        self._show(model)
        if model.origin is DbtOrigin.GENERATED:
            self.generated, self.read_only = _generated_from(graph, model.path), True
        self.deletable = model.origin is DbtOrigin.TENANT

    def _open_new(self, path: str) -> None:
        own = (one for one in self._every if one.folder == "staging" and one.path.endswith(".sql"))
        staging = next((one.name for one in own), "")
        self.has_rows = path.endswith(".sql")
        if path.startswith("marts/") and self.has_rows:
            self._offer(copy.EXAMPLE.format(name=staging) if staging else copy.EXAMPLE_PLAIN)

    def _show(self, model: DbtModelOut) -> None:
        self.content, self.version = dbt_editing.text_of(model), dbt_editing.version_of(model)
        self.has_rows = model.kind in ("model", "seed", "snapshot", "test", "analysis")
        known = {one.name: one for one in self.completions}
        self.reads = [
            known[name] for name in sorted(known) if name != self.name and name in self.content
        ][:5]
        draft = model.draft
        if draft is not None:
            good = model.content is not None
            day = formats.day(local(model.updated_at))
            self.note = copy.DRAFT.format(day=day) if good else copy.DRAFT_NEW
            if draft.error is not None:
                self.error = Problem("error", draft.error.message, draft.error.remedy)
                self.error_line = int(draft.error.where.get("line") or 0)

    def _stored(self, model: DbtModelOut) -> None:
        self._show(model)
        self.saved, self.dirty, self.conflict, self.comparison = self.version, False, "", []
        self.deletable = True
        if model.draft is None:
            self.note = copy.SAVED
        elif model.content is not None:
            day = formats.day(local(model.updated_at))
            self.note = copy.LAST_GOOD.format(day=day)
        else:
            self.note = copy.NEVER_GOOD

    async def _came_second(self, visit: Visit, exc: EditedMeanwhileError) -> None:
        """Somebody came first: look at what they saved; what was typed stays in the editor."""
        self.conflict = exc.message
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                model = await dbt_models.get(scope, self.path)
        except NotFoundError:  # deleted meanwhile
            self.theirs, self.theirs_version = "", dbt_editing.NEW
        else:
            self.theirs = dbt_editing.text_of(model)
            self.theirs_version = dbt_editing.version_of(model)

    async def _refresh(self, visit: Visit) -> None:
        """What others saved since; the editor keeps what was typed here."""
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                model = await dbt_models.get(scope, self.path)
        except NotFoundError:  # not stored yet, or deleted: a save will tell
            return
        if dbt_editing.version_of(model) != self.version:
            self._show(model)

    def _tell(self, exc: FabricError) -> None:
        self.error = problem_of(exc)
        path = exc.where.get("path")
        if path in (None, self.path):
            self.error_line = int(exc.where.get("line") or 0)
        elif any(one.path == path for one in self._every):
            slug = self.keep.partition(":")[2]
            self.error = replace(self.error, href=href_of(slug, path), action=f"Open {path}")

    def _offer(self, text: str) -> None:
        self.offer, self.offer_number = text, self.offer_number + 1

    def _forget(self) -> None:
        self.content = self.version = self.saved = self.note = self.generated = ""
        self.conflict = self.theirs = self.theirs_version = self.dialog = ""
        self.comparison, self.reads = [], []
        self.error, self.error_line = Problem(), 0
        self.dirty = self.deletable = self.has_rows = False

    def _filter(self) -> None:
        self.files = [one for one in self._every if self.query.lower() in one.path.lower()]
        present = {one.folder for one in self.files}
        self.folders = [name for name in FOLDERS if name in present]


def path_in(url: str) -> str:
    """The file that a URL of this page names, "" for none."""
    _, _, rest = urlsplit(url).path.partition("/dbt-models")
    return unquote(rest.strip("/"))


def href_of(org: str, path: str) -> str:
    """The page of a file."""
    return f"{routes.to(routes.DBT_MODELS, org_slug=org)}/{path}"


def completions_of(
    graph: Lineage, columns: dict[tuple[DataLayer, str], tuple[ColumnInfo, ...]]
) -> list[Completion]:
    """What can be referred to: dbt nodes, with the columns of those that are built."""
    return [
        Completion(
            node.name,
            node.layer,
            [
                CompletionColumn(one.name, one.type)
                for one in columns.get((DataLayer(node.layer), node.name), ())
            ],
        )
        for node in graph.nodes
        if node.layer in (DataLayer.STAGING, DataLayer.MARTS)
    ]


def _file(org: str, model: DbtModelOut, states: dict[str, str], current: str) -> FileRow:
    folder, _, rest = model.path.partition("/")
    return FileRow(
        path=model.path,
        name=rest.removesuffix(".sql") or folder,
        folder=folder if rest else "",
        href=href_of(org, model.path),
        locked=model.origin is DbtOrigin.GENERATED,
        draft=model.draft is not None,
        state=states.get(model.path, ""),
        current=model.path == current,
    )


def _generated_from(graph: Lineage, path: str) -> str:
    """“Generated from shop.orders and rebuilt when the stream changes.”"""
    own = next((node.id for node in graph.nodes if node.path == path), "")
    above = {parent for parent, child in graph.edges if child == own}
    sources = sorted(
        parent.removeprefix("source.") for parent, child in graph.edges if child in above
    )
    named = ", ".join(one for one in sources if one)
    return copy.GENERATED.format(source=named) if named else copy.GENERATED_PLAIN
