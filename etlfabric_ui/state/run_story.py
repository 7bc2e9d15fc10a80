"""A run told in words: its sentence, its stages, its streams and dbt nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etlfabric_dagster.schemas.runs import (
    AttemptOut,
    LogLine,
    NodeResult,
    RunOut,
    RunStatus,
    StreamResult,
)
from etlfabric_ui import formats, remedies, strings
from etlfabric_ui.state.guards import spoken
from etlfabric_ui.state.words import TRIGGERS
from etlfabric_ui.state.zones import local, zone
from etlfabric_ui.views.runs import AttemptRow, LogRow, PartRow, Stage
from etlfabric_ui.views.shared import Problem

NODE_STATES = {"success": "succeeded", "pass": "succeeded", "error": "failed", "fail": "failed"}
NODE_STATES |= {"warn": "warning", "skipped": "skipped", "no-op": "succeeded"}
ATTENTION = {"failed": 0, "running": 1, "warning": 2}
"""What comes first where not everything is shown."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do: streams, dbt nodes as `kind.name`, and rows where they are known."""

    connection: str = ""
    streams: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    """Stream → about how many rows it has, for those that are read whole."""


def named(unique_id: str) -> str:
    """`model.tenant.stg_orders` → `model.stg_orders`; a test's id ends in a hash."""
    kind, _, *rest = unique_id.split(".")
    return f"{kind}.{rest[0]}"


def sentence(run: RunOut, going: int = 0) -> str:
    """The answer: what it does, or how it ended.

    Args:
        going: runs of the org at work, told while this one waits.
    """
    took = formats.duration(run.duration_s)
    if run.status is RunStatus.QUEUED:
        behind = f": {formats.plural(going, 'run')} of this org going" if going else ""
        return f"Waiting for a free worker{behind}."
    if run.status is RunStatus.RUNNING:
        return "Running for"
    if run.status is RunStatus.CANCELED:
        return "Canceled. Streams that had finished stay loaded."
    if run.status is RunStatus.FAILED:
        broken = [name for name, one in run.streams.items() if one.status == "failed"]
        named_ = f" · {', '.join(broken[:3])}" if broken else ""
        return f"Failed after {took}{named_}."
    return _success(run, took)


def _success(run: RunOut, took: str) -> str:
    built = sum(_built(one) for one in run.models.values())
    tests = sum(_passed(one) for one in run.models.values())
    said = f"{formats.plural(run.rows_loaded, 'row')} in {took}."
    if built:
        said += f" {formats.plural(built, 'dbt model')} rebuilt"
        said += f", {formats.plural(tests, 'test')} passed." if tests else "."
    return said


def warnings(run: RunOut) -> str:
    """“2 warnings”, told beside the state; "" when there is none."""
    found = sum(len(one.warnings) for one in run.streams.values())
    found += sum(NODE_STATES.get(one.status) == "warning" for one in run.models.values())
    return formats.plural(found, "warning") if found else ""


def ready(run: RunOut) -> str:
    """What the first good run of an org says."""
    built = sum(_built(one) for one in run.models.values())
    return strings.DATA_READY.format(
        rows=formats.plural(run.rows_loaded, "row"),
        tables=formats.plural(built, "table"),
        took=formats.duration(run.duration_s),
    )


def facts(run: RunOut) -> str:
    """How it came about."""
    parts = []
    if run.attempt and (run.attempt > 1 or run.status is RunStatus.RUNNING):
        parts.append(f"attempt {formats.share(run.attempt, run.max_attempts)}")
    parts += [f"started {TRIGGERS[run.trigger]}", f"waited {formats.duration(run.queued_s)}"]
    if run.bytes_loaded:
        parts.append(formats.size(run.bytes_loaded))
    said = " · ".join(parts)
    return said[0].upper() + said[1:]


def failure(run: RunOut, org: str, connection: str) -> Problem:
    """Why it failed, and the button that leads to the remedy."""
    if run.error is None or not run.status.is_final:
        return Problem()
    found = Problem("error", run.error.message, spoken(run.error.remedy), run.error.code)
    found = remedies.with_copy(found, run.error.where)
    return remedies.with_button(found, org=org, pipeline=run.pipeline, connection=connection)


def attempts(run: RunOut) -> list[AttemptRow]:
    """Every try, told only when there was more than one."""
    if len(run.attempts) < 2:
        return []
    return [
        AttemptRow(
            one.number,
            str(one.status),
            f"Attempt {one.number}, {strings.STATES[str(one.status)]}",
        )
        for one in run.attempts
    ]


def lost(run: RunOut) -> str:
    """A worker that went away, and what came after it; "" when none did."""
    gone = [one for one in run.attempts if one.status == "lost"]
    if not gone:
        return ""
    last = gone[-1]
    said = f"{last.error.message if last.error else f'Attempt {last.number} was lost.'}"
    after = next((one for one in run.attempts if one.number > last.number), None)
    return said if after is None else f"{said} {_took_over(after)}"


def _took_over(after: AttemptOut) -> str:
    at = f"{local(after.started_at):%H:%M:%S}"
    return strings.TOOK_OVER.format(number=after.number, at=at, zone=zone())


def stages(run: RunOut, plan: Plan) -> list[Stage]:
    """Load, staging, marts, tests: how many of how many ended."""
    loaded = [one for one in run.streams.values() if one.status != "running"]
    failed = any(one.status == "failed" for one in loaded)
    found = [_stage("Load", len(loaded), max(len(plan.streams), len(run.streams)), failed)]
    done = _done(run)
    for name, of_stage in (("Staging", _is_staging), ("Marts", _is_mart), ("Tests", _is_test)):
        planned = sum(map(of_stage, plan.nodes))
        ended = [one for key, one in done.items() if of_stage(key)]
        bad = any(NODE_STATES.get(one.status) == "failed" for one in ended)
        found.append(_stage(name, len(ended), max(planned, len(ended)), bad))
    return found


def parts(run: RunOut, plan: Plan) -> list[PartRow]:
    """Each stream and dbt node, in the order of the plan; tests only when they say something."""
    rest = "skipped" if run.status.is_final else "waiting"
    names = [*plan.streams, *(name for name in run.streams if name not in plan.streams)]
    rows = [_stream_row(name, run.streams.get(name), rest, plan.totals) for name in names]
    done = _done(run)
    nodes = dict.fromkeys(node for node in (*plan.nodes, *done) if not _is_test(node))
    rows += [_node_row(node, done.get(node), rest) for node in nodes]
    return rows + [
        _node_row(key, one, rest)
        for key, one in done.items()
        if _is_test(key) and one.status not in ("pass", "skipped")
    ]


def page_of(rows: Sequence[PartRow], number: int, size: int) -> list[PartRow]:
    """One page; where there are several, what needs a look comes first."""
    if len(rows) > size:
        rows = sorted(rows, key=lambda row: ATTENTION.get(row.state, 3))
    return list(rows[number * size :][:size])


def log_row(number: int, line: LogLine) -> LogRow:
    """A line for the page."""
    at = f"{local(line.at):%H:%M:%S}.{line.at.microsecond // 1000:03d}"
    return LogRow(number, at, line.level, line.subject or "", line.message)


def _stage(name: str, done: int, of: int, failed: bool) -> Stage:
    width = f"{100 * done / of:.0f}%" if of else "0%"
    state = "bad" if failed else "ok" if of and done == of else ""
    return Stage(name, formats.share(done, of) if of else formats.UNKNOWN, width, state)


def _built(one: NodeResult) -> bool:
    return one.resource_type == "model" and NODE_STATES.get(one.status) == "succeeded"


def _passed(one: NodeResult) -> bool:
    return one.resource_type == "test" and one.status == "pass"


def _done(run: RunOut) -> dict[str, NodeResult]:
    """What ended, named as the plan names it."""
    return {f"{one.resource_type}.{name}": one for name, one in run.models.items()}


def _is_test(node: str) -> bool:
    return node.startswith(("test.", "unit_test."))


def _is_staging(node: str) -> bool:
    return node.startswith("model.stg_")


def _is_mart(node: str) -> bool:
    return not _is_test(node) and not _is_staging(node)


def _stream_row(
    name: str, result: StreamResult | None, rest: str, totals: Mapping[str, int]
) -> PartRow:
    if result is None:
        return PartRow(name, "stream", rest, formats.UNKNOWN, "")
    note = result.error.message if result.error else " ".join(result.warnings)
    took = formats.duration(result.seconds) if result.seconds else ""
    rows, total = formats.exact(result.rows), totals.get(name, 0)
    if result.status != "running" or not total:
        return PartRow(name, "stream", result.status, rows, took, note)
    of, width = f"of {formats.estimate(total)}", f"{min(100, 100 * result.rows // total)}%"
    return PartRow(name, "stream", result.status, rows, took, note, of, width)


def _node_row(node: str, result: NodeResult | None, rest: str) -> PartRow:
    name = node.partition(".")[2]
    kind = "test" if _is_test(node) else "model"
    if result is None:
        return PartRow(name, kind, rest, formats.UNKNOWN, "")
    state = NODE_STATES.get(result.status, result.status)
    note = result.message or "" if state in ("failed", "warning") else ""
    took = formats.duration(result.seconds)
    return PartRow(name, kind, state, formats.exact(result.rows), took, note)
