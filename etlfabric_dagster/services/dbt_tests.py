"""dbt tests of a model: which there are, how they last ended, and a run of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from etlfabric_dagster.errors import ConflictError, NotFoundError
from etlfabric_dagster.models import Run
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.dbt_models import DbtTestOut, TableResult
from etlfabric_dagster.schemas.runs import RunOut, RunSelection
from etlfabric_dagster.services import dbt_models, dbt_store, interactive, runs
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

LOOKED_BACK = 20  # runs: a test that ran before them is told as not run


async def list_tests(scope: OrgScope, path: str) -> Page[DbtTestOut]:
    """Tests of one model by name. Raises NotFoundError."""
    found = await _tests(scope, path)
    results = await _last_results(scope)
    return Page(items=tuple(_out(one, results.get(one["name"])) for one in found))


async def run(scope: OrgScope, path: str) -> RunOut:
    """Queue a run of one model's tests and nothing else.

    Raises NotFoundError, and ConflictError for a model without tests or outside every pipeline.
    """
    scope.require("runs.start")
    ids = {one["unique_id"] for one in await _tests(scope, path)}
    if not ids:
        raise ConflictError(f"{path} has no dbt tests.", "Add tests in a YAML file beside it.")
    manifest = await dbt_store.manifest_of(scope)
    selections = manifest.selections if manifest else {}
    pipeline = next((name for name, nodes in sorted(selections.items()) if ids & {*nodes}), None)
    if pipeline is None:
        raise ConflictError(
            f"No pipeline builds {path}, so that nothing tests it.",
            "Create a pipeline whose dbt selector names it.",
        )
    checks = tuple(sorted(ids & {*selections[pipeline]}))
    selection = RunSelection(streams=(), models=(), checks=checks)
    return await runs.start(scope, pipeline, selection=selection)


async def failing_rows(
    actor: Actor,
    slug: str,
    path: str,
    unique_id: str,
    *,
    limit: int = 100,
    wait_s: float | None = None,
) -> TableResult:
    """Rows that a test of this model finds now, read-only.

    Raises NotFoundError, TransformError, and NotAnsweredYetError after `wait_s`.
    """
    async with org_scope(actor, slug) as scope:
        scope.require_active()
        org_id = scope.org_id
        if unique_id not in {one["unique_id"] for one in await _tests(scope, path)}:
            raise NotFoundError(
                f"There is no dbt test {unique_id[:200]} of {path}.", "List its tests again."
            )
    arguments = {"path": path, "limit": limit, "test": unique_id}
    answer = await interactive.ask(org_id, "preview", arguments, wait_s=wait_s)
    return dbt_models.table_of(answer)


async def _tests(scope: OrgScope, path: str) -> list[Mapping[str, Any]]:
    await dbt_models.get(scope, path)
    manifest = await dbt_store.manifest_of(scope)
    nodes: Mapping[str, Any] = manifest.manifest.get("nodes", {}) if manifest else {}
    on_disk = dbt_paths.on_disk(path)
    own = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] != "test" and node["original_file_path"] == on_disk
    }
    found = [
        node
        for node in nodes.values()
        if node["resource_type"] == "test" and own & {*node["depends_on"].get("nodes", ())}
    ]
    return sorted(found, key=lambda node: node["name"])


async def _last_results(scope: OrgScope) -> dict[str, tuple[Row[Any], Mapping[str, Any]]]:
    """Node → (run, result) of the newest run that has it."""
    query = (
        select(Run.id, Run.models, Run.finished_at)
        .where(Run.org_id == scope.org_id, Run.finished_at.is_not(None))
        .order_by(Run.created_at.desc())
        .limit(LOOKED_BACK)
    )
    found: dict[str, tuple[Row[Any], Mapping[str, Any]]] = {}
    for row in await scope.session.execute(query):
        for name, result in row.models.items():
            found.setdefault(name, (row, result))
    return found


def _out(node: Mapping[str, Any], last: tuple[Row[Any], Mapping[str, Any]] | None) -> DbtTestOut:
    row, result = last or (None, {})
    return DbtTestOut(
        unique_id=node["unique_id"],
        name=node["name"],
        column=node.get("column_name"),
        severity=str(node.get("config", {}).get("severity", "ERROR")).lower(),
        status=result.get("status"),
        failures=result.get("failures"),
        message=result.get("message"),
        run=row.id if row else None,
        tested_at=row.finished_at if row else None,
    )
