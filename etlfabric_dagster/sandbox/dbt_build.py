"""TransformJob: `dbt build` of the chosen nodes, told node by node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbt.artifacts.schemas.results import NodeStatus
from dbt.artifacts.schemas.run import RunResult
from dbt.contracts.graph.manifest import Manifest
from dbt.task.build import BuildTask
from dbt.task.runnable import GraphRunnableTask

from etlfabric_dagster.errors import TransformError
from etlfabric_dagster.sandbox import dbt_errors, dbt_runtime
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import NodeEvent, TransformJob
from etlfabric_dagster.schemas.runs import NodeResult

STATUS = {
    NodeStatus.Success: "success",
    NodeStatus.NoOp: "success",
    NodeStatus.Pass: "pass",
    NodeStatus.Warn: "warn",
    NodeStatus.Fail: "fail",
    NodeStatus.Error: "error",
    NodeStatus.RuntimeErr: "error",
    NodeStatus.PartialSuccess: "error",
    NodeStatus.Skipped: "skipped",
}
BAD = ("error", "fail")
MAX_SQL_CHARACTERS = 20_000


def handle(job: TransformJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Build and emit a NodeEvent per node. Returns `{"ok", "counts"}`.

    A failed model or test is a result, not an exception: `ok` is then False and the events carry
    why. Raises TransformError when the build itself cannot start.
    """
    root = dbt_runtime.prepare(job.project, job.warehouse, Path(workdir))
    manifest = dbt_runtime.manifest_for(job.packed, root, job.warehouse, job.project.files)
    chosen = choose(manifest, job.select)
    if not chosen:
        return {"ok": True, "counts": {}}
    counts: dict[str, int] = {}

    def report(event: NodeEvent) -> None:
        counts[event.result.status] = counts.get(event.result.status, 0) + 1
        emit(event)

    dbt_runtime.run_only(BuildTask, chosen)
    _tell_results(report)
    args = ["build", "--no-populate-cache"] + (["--full-refresh"] if job.full_refresh else [])
    result = dbt_runtime.invoke(root, job.warehouse, args, manifest)
    if result.exception is not None:
        raise dbt_errors.translate(result.exception, job.project.files) from result.exception
    return {"ok": not any(counts.get(status) for status in BAD), "counts": counts}


def choose(manifest: Manifest, select: tuple[str, ...]) -> set[str]:
    """Unique ids to build: given ones as they are, selectors resolved, nothing given = all.

    Raises TransformError for an id that the manifest does not hold.
    """
    known = manifest.nodes.keys() | manifest.unit_tests.keys()
    ids = {each for each in select if each in known}
    selectors = [each for each in select if each not in known]
    stale = [each for each in selectors if each.startswith(("model.", "test.", "seed.", "unit_"))]
    if stale:
        raise TransformError(
            f"{stale[0]} is not part of the dbt project any more.",
            "Start the run again: it takes the project as it is now.",
        )
    if selectors or not select:
        graph = dbt_runtime.graph_of(manifest)
        for found in dbt_runtime.resolve(manifest, graph, selectors or [""]).values():
            ids |= set(found)
    return ids


def _tell_results(report: Callable[[NodeEvent], None]) -> None:
    """dbt's events lack compiled SQL, so results are taken where dbt itself takes them."""
    tasks: Any = GraphRunnableTask
    take = tasks._handle_result

    def handle_result(task: Any, result: RunResult) -> None:
        take(task, result)
        if not result.node.is_ephemeral_model:
            report(_event(result))

    tasks._handle_result = handle_result


def _event(result: RunResult) -> NodeEvent:
    node: Any = result.node
    status = STATUS[NodeStatus(result.status)]
    path = dbt_errors.tenant_path(node.original_file_path) or ""
    return NodeEvent(
        unique_id=node.unique_id,
        name=node.name,
        result=NodeResult(
            status=status,
            resource_type=str(node.resource_type),
            seconds=round(result.execution_time, 4),
            message=_message(result, status, path),
            rows=_rows(result),
            failures=result.failures,
            compiled_sql=_compiled(node) if status in (*BAD, "warn") else None,
            path=path,
        ),
    )


def _message(result: RunResult, status: str, path: str) -> str | None:
    node: Any = result.node
    if status == "error":
        message, _ = dbt_errors.of_sql(
            result.message or "", path, node.raw_code or "", _compiled(node) or ""
        )
        return message
    if status in ("fail", "warn") and result.failures is not None:
        return _test_message(node, result.failures)
    if status == "fail":
        return dbt_errors.explain(result.message or "")
    return result.message


def _test_message(node: Any, failures: int) -> str:
    """UI section 5, error 11: what failed, on which column of which model, how many."""
    metadata = getattr(node, "test_metadata", None)
    kind = metadata.name if metadata else node.name
    attached = (getattr(node, "attached_node", None) or "").rpartition(".")[2]
    column = (getattr(node, "column_name", None) or "").strip('"')
    subject = f"{attached}.{column}" if attached and column else attached or column or ""
    on = f" on {subject}" if subject else ""
    values = "1 row does not pass" if failures == 1 else f"{failures:,} rows do not pass"
    return f"Test {kind}{on} failed: {values}."


def _rows(result: RunResult) -> int | None:
    rows = (result.adapter_response or {}).get("rows_affected")
    return rows if isinstance(rows, int) and rows >= 0 else None


def _compiled(node: Any) -> str | None:
    code = getattr(node, "compiled_code", None) or getattr(node, "raw_code", None)
    return code[:MAX_SQL_CHARACTERS] if code else None
