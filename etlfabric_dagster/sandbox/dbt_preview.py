"""PreviewJob: compile one model and read its first rows; nothing is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from dbt.task.compile import CompileTask

from etlfabric_dagster.errors import NotFoundError, TransformError
from etlfabric_dagster.sandbox import dbt_errors, dbt_paths, dbt_runtime, reading
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import PreviewJob

PREVIEWED = ("model", "seed", "snapshot", "analysis", "test")


def handle(job: PreviewJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Returns a TableResult and `compiled_sql`; with a limit of 0 nothing is read.

    Raises TransformError, NotFoundError.
    """
    root = dbt_runtime.prepare(job.project, job.warehouse, Path(workdir))
    manifest = dbt_runtime.manifest_for(job.packed, root, job.warehouse, job.project.files)
    node = _test_of(manifest, job.test) if job.test else _node_of(manifest, job.path)
    sql = _compiled(job, root, manifest, node)
    if job.limit == 0:
        return {"columns": [], "rows": [], "truncated": False, "compiled_sql": sql}
    body = sql.strip().rstrip(";")
    # S608: the SQL is the tenant's own, and runs as the tenant
    wrapped = f"select * from (\n{body}\n) as preview limit {job.limit + 1}"  # noqa: S608
    try:
        return reading.read(job.warehouse, wrapped, job.limit, job.timeout_s) | {
            "compiled_sql": sql
        }
    except TransformError as exc:
        raise _located(exc, job.path, node.raw_code or "", sql) from exc


def _node_of(manifest: Manifest, path: str) -> Any:
    on_disk = dbt_paths.on_disk(path)
    for node in manifest.nodes.values():
        has_rows = node.resource_type in PREVIEWED and not hasattr(node, "test_metadata")
        if has_rows and node.original_file_path == on_disk:
            return node
    raise NotFoundError(
        f"{path} is not a model, seed, snapshot or test of the dbt project.",
        "Preview a model, for example marts/daily_orders.sql",
    )


def _test_of(manifest: Manifest, unique_id: str) -> Any:
    node = manifest.nodes.get(unique_id)
    if node is None or node.resource_type != "test":
        raise NotFoundError(
            f"There is no dbt test {unique_id[:200]}.", "List the tests of the model again."
        )
    return node


def _compiled(job: PreviewJob, root: Path, manifest: Manifest, node: Any) -> str:
    """Its SQL with refs resolved; a seed's is its table. Incremental models preview in full."""
    if node.resource_type == "seed":
        return f"select * from {node.relation_name}"  # noqa: S608 - dbt quotes it
    dbt_runtime.run_only(CompileTask, {node.unique_id})
    args = ["compile", "--no-populate-cache", "--full-refresh"]
    result: Any = dbt_runtime.invoke(root, job.warehouse, args, manifest)
    if result.exception is not None:
        raise dbt_errors.translate(result.exception, job.project.files) from result.exception
    compiled: Any = result.result.results[0]
    if not result.success:
        message, line = dbt_errors.of_sql(compiled.message or "", job.path, node.raw_code, "")
        raise TransformError(message, f"Correct {dbt_errors.place(job.path, line)}.")
    return compiled.node.compiled_code


def _located(exc: TransformError, path: str, raw: str, sql: str) -> TransformError:
    """The same error, with the tenant's file and line where PostgreSQL told a place."""
    cause = exc.__cause__
    if exc.code != TransformError.code or cause is None:
        return exc
    message, line = dbt_errors.of_sql(str(cause), path, raw, sql)
    remedy = f"Correct {dbt_errors.place(path, line)}."
    if "relation" in str(cause) and "does not exist" in str(cause):
        remedy = "Run the pipeline once, so that what this model reads exists."
    return TransformError(message, remedy, path=path, line=line)
