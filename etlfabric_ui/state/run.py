"""One run, live: what it does now, what it did, its log."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster import storage
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import LogLine, NodeResult, RunOut, RunStatus
from etlfabric_dagster.services import dbt_models, pipelines, runs
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import PageState, moment
from etlfabric_ui.state.guards import Visit, guarded, spoken
from etlfabric_ui.state.words import TRIGGERS
from etlfabric_ui.views import LogRow, Moment, PartRow, Problem, Stage

TAIL = 500
NODE_STATES = {"success": "succeeded", "pass": "succeeded", "error": "failed", "fail": "failed"}
NODE_STATES |= {"warn": "warning", "skipped": "skipped", "no-op": "succeeded"}


class RunState(PageState, rx.State):
    """The run that the URL names."""

    id: str = ""
    short: str = ""
    pipeline: str = ""
    state: str = "queued"
    live: bool = False
    sentence: str = ""
    started: Moment = Moment()
    facts: str = ""
    error: Problem = Problem()
    stages: list[Stage] = []
    parts: list[PartRow] = []
    log: list[LogRow] = []
    older: int = 0
    level: str = ""
    subject: str = ""
    warnings: int = 0
    errors: int = 0
    _lines: list[LogRow] = []
    _position: str = ""
    _plan: list[str] = []
    _nodes: list[str] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Everything about the run, from the start of its log."""
        self.problem, self._lines, self._position, self.log = Problem(), [], "", []
        self.level = self.subject = ""
        run = await self._run(visit)
        async with org_scope(visit.actor, visit.org) as scope:
            try:
                found = await pipelines.get(scope, run.pipeline)
                self._plan = [one.name for one in found.streams if one.selected]
            except NotFoundError:  # deleted since
                self._plan = list(run.streams)
            self._nodes = list(map(_named, await dbt_models.nodes_of(scope, run.pipeline)))
        await self._show(visit, run)
        self.loaded = True

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What is new since the last look."""
        if self.loaded and self.live:
            await self._show(visit, await self._run(visit))

    @rx.event
    @guarded(Role.VIEWER)
    async def filter_log(self, _visit: Visit, level: str, subject: str) -> None:
        """Only warnings, only errors, or only one stream."""
        self.level, self.subject = level, subject
        self._show_log()

    @rx.event
    @guarded(Role.EDITOR)
    async def cancel(self, visit: Visit) -> None:
        """Finished streams stay loaded."""
        async with org_scope(visit.actor, visit.org) as scope:
            await runs.request_cancel(scope, _id(self.run_id))  # pyright: ignore
        await self._show(visit, await self._run(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def retry(self, visit: Visit) -> Any:
        """The same again, as a new run."""
        async with org_scope(visit.actor, visit.org) as scope:
            again = await runs.retry(scope, _id(self.run_id))  # pyright: ignore
        return rx.redirect(routes.to(routes.RUN, org_slug=visit.org, run_id=again.id))

    @rx.event
    @guarded(Role.VIEWER)
    async def download(self, visit: Visit) -> Any:
        """The whole log as text."""
        async with org_scope(visit.actor, visit.org) as scope:
            run = await runs.get(scope, _id(self.run_id))  # pyright: ignore
            org_id = scope.org_id
        lines, _ = await asyncio.to_thread(storage.read_log, org_id, run.id)
        text = "".join(
            f"{one.at.isoformat()} {one.level} {one.subject or '-'} {one.message}\n"
            for one in lines
        )
        return rx.download(data=text, filename=f"{run.pipeline}-{str(run.id)[:8]}.log")

    async def _run(self, visit: Visit) -> RunOut:
        async with org_scope(visit.actor, visit.org) as scope:
            return await runs.get(scope, _id(self.run_id))  # pyright: ignore

    async def _show(self, visit: Visit, run: RunOut) -> None:
        self.id, self.short, self.pipeline = str(run.id), str(run.id)[:8], run.pipeline
        self.state, self.live = str(run.status), not run.status.is_final
        self.sentence, self.facts = _sentence(run), _facts(run)
        self.started = moment(run.started_at)
        self.error = _error(run)
        self.stages = _stages(run, self._plan, self._nodes)
        self.parts = _parts(run, self._plan, self._nodes)
        await self._read_log(visit)

    async def _read_log(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            org_id = scope.org_id
        new, self._position = await asyncio.to_thread(
            storage.read_log, org_id, UUID(self.id), None, self._position
        )
        if new or not self.loaded:
            self._lines = [*self._lines, *map(_log_row, new)]
            self._show_log()

    def _show_log(self) -> None:
        self.warnings = sum(one.level == "warning" for one in self._lines)
        self.errors = sum(one.level == "error" for one in self._lines)
        shown = [
            one
            for one in self._lines
            if self.level in ("", one.level) and self.subject in ("", one.subject)
        ]
        self.older = max(0, len(shown) - TAIL)
        self.log = shown[-TAIL:]


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as exc:
        raise NotFoundError(f"There is no run {text[:40]}.", "List the runs.") from exc


def _sentence(run: RunOut) -> str:
    took = formats.duration(run.duration_s)
    if run.status is RunStatus.QUEUED:
        return "Waiting for a free worker."
    if run.status is RunStatus.RUNNING:
        return f"Running, attempt {run.attempt} of {run.max_attempts}, {_started_by(run)}."
    if run.status is RunStatus.CANCELED:
        return "Canceled. Streams that had finished stay loaded."
    if run.status is RunStatus.FAILED:
        return f"Failed after {took}."
    built = sum(
        one.resource_type == "model" and NODE_STATES.get(one.status) == "succeeded"
        for one in run.models.values()
    )
    tests = sum(one.resource_type == "test" and one.status == "pass" for one in run.models.values())
    said = f"{formats.plural(run.rows_loaded, 'row')} in {took}."
    if built:
        said += f" {formats.plural(built, 'dbt model')} rebuilt"
        said += f", {formats.plural(tests, 'test')} passed." if tests else "."
    warnings = sum(len(one.warnings) for one in run.streams.values())
    return said + (f" {formats.plural(warnings, 'warning')}." if warnings else "")


def _started_by(run: RunOut) -> str:
    return f"started {TRIGGERS[run.trigger]}"


def _facts(run: RunOut) -> str:
    parts = [_started_by(run).capitalize(), f"waited {formats.duration(run.queued_s)}"]
    if run.attempt > 1:
        parts.append(f"attempt {run.attempt} of {run.max_attempts}")
    if run.bytes_loaded:
        parts.append(formats.size(run.bytes_loaded))
    return " · ".join(parts)


def _error(run: RunOut) -> Problem:
    if run.error is None or not run.status.is_final:
        return Problem()
    return Problem("error", run.error.message, spoken(run.error.remedy), run.error.code)


def _stages(run: RunOut, plan: list[str], nodes: list[str]) -> list[Stage]:
    loaded = [one for one in run.streams.values() if one.status != "running"]
    failed = any(one.status == "failed" for one in loaded)
    found = [_stage("Load", len(loaded), max(len(plan), len(run.streams)), failed)]
    for name, of_stage in (("Staging", _is_staging), ("Marts", _is_mart), ("Tests", _is_test)):
        planned = sum(map(of_stage, nodes))
        done = {key: one for key, one in _done(run).items() if of_stage(key)}
        bad = any(NODE_STATES.get(one.status) == "failed" for one in done.values())
        found.append(_stage(name, len(done), max(planned, len(done)), bad))
    return found


def _stage(name: str, done: int, of: int, failed: bool) -> Stage:
    width = f"{100 * done / of:.0f}%" if of else "0%"
    state = "bad" if failed else "ok" if of and done == of else ""
    return Stage(name, f"{done} of {of}" if of else formats.UNKNOWN, width, state)


def _named(unique_id: str) -> str:
    """`model.tenant.stg_orders` → `model.stg_orders`; a test's id ends in a hash."""
    kind, _, *rest = unique_id.split(".")
    return f"{kind}.{rest[0]}"


def _done(run: RunOut) -> dict[str, NodeResult]:
    """What ended, named as the plan names it."""
    return {f"{one.resource_type}.{name}": one for name, one in run.models.items()}


def _is_test(node: str) -> bool:
    return node.startswith(("test.", "unit_test."))


def _is_staging(node: str) -> bool:
    return node.startswith("model.stg_")


def _is_mart(node: str) -> bool:
    return not _is_test(node) and not _is_staging(node)


def _parts(run: RunOut, plan: list[str], nodes: list[str]) -> list[PartRow]:
    names = [*plan, *(name for name in run.streams if name not in plan)]
    rest = "waiting" if not run.status.is_final else "skipped"
    rows = [_stream_row(name, run, rest) for name in names]
    wanted = [node for node in nodes if not _is_test(node)]
    wanted += [node for node in _done(run) if node not in wanted and not _is_test(node)]
    rows += [_node_row(node, run, rest) for node in wanted]
    for key, one in _done(run).items():  # tests only when they say something
        if _is_test(key) and one.status != "pass" and one.status != "skipped":
            rows.append(_node_row(key, run, rest))
    return rows


def _stream_row(name: str, run: RunOut, rest: str) -> PartRow:
    result = run.streams.get(name)
    if result is None:
        return PartRow(name, "stream", rest, formats.UNKNOWN, "")
    note = result.error.message if result.error else " ".join(result.warnings)
    took = formats.duration(result.seconds)
    return PartRow(name, "stream", result.status, formats.exact(result.rows), took, note)


def _node_row(node: str, run: RunOut, rest: str) -> PartRow:
    result = _done(run).get(node)
    name = node.partition(".")[2]
    kind = "test" if _is_test(node) else "model"
    if result is None:
        return PartRow(name, kind, rest, formats.UNKNOWN, "")
    state = NODE_STATES.get(result.status, result.status)
    note = result.message or "" if state in ("failed", "warning") else ""
    took = formats.duration(result.seconds)
    return PartRow(name, kind, state, formats.exact(result.rows), took, note)


def _log_row(line: LogLine) -> LogRow:
    at = f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03d}"
    return LogRow(at, line.level, line.subject or "", line.message)
