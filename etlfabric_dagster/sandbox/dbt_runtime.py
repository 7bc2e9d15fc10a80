"""dbt in this process: invoke it, parse, restore a manifest, resolve selectors.

One invocation at a time (dbt keeps its state in globals). The process is a forked child whose
parent called `warm()`, so nothing here imports or compiles much.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from etlfabric_dagster.sandbox import dbt_locks  # noqa: F401 - first, see there

# isort: split
import dbt.adapters.postgres.impl  # noqa: F401 - imported before the fork, not in each child
from dbt.artifacts.resources.types import NodeType
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.compilation import Linker
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import SeedNode
from dbt.graph import Graph, ResourceTypeSelector  # pyright: ignore[reportPrivateImportUsage]
from dbt.graph.cli import parse_difference
from dbt.plugins.manager import PluginManager
from dbt_common.clients import agate_helper

from etlfabric_dagster.errors import TransformError
from etlfabric_dagster.sandbox import (
    dbt_errors,
    dbt_guard,
    dbt_macro_cache,
    dbt_names,
    dbt_project,
    dbt_settings,
)
from etlfabric_dagster.schemas.dbt_models import DbtFile
from etlfabric_dagster.schemas.jobs import DbtProject, Warehouse

# dbt imports every module on the path that is called dbt_*, ours too, as a plugin.
_plugins: Any = PluginManager
_plugins.get_prefixed_modules = dict

BUILDABLE = (
    NodeType.Model,
    NodeType.Seed,
    NodeType.Snapshot,
    NodeType.Test,
    NodeType.Unit,
)
WARM_FILES = {
    "staging/stg_warm.sql": "select id from {{ source('raw', 'warm') }}",
    "marts/warm.sql": "{{ config(materialized='table') }} select * from {{ ref('stg_warm') }}",
    "seeds/warm_seed.csv": "id\n1\n",
    "snapshots/warm_history.sql": "{% snapshot warm_history %}{{ config(unique_key='id',"
    " strategy='check', check_cols='all') }} select * from {{ ref('warm') }}{% endsnapshot %}",
    "tests/warm_test.sql": "select * from {{ ref('warm') }} where id < 0",
    "macros/warm_macro.sql": "{% macro warm_macro(x) %}{{ x }}{% endmacro %}",
    "marts/warm.yml": """
version: 2
sources: [{name: raw, schema: "{{ var('etlfabric_prefix') }}_raw", tables: [{name: warm}]}]
models:
  - name: warm
    data_tests: [{unique_together: {arguments: {columns: [id]}}}]
    columns:
      - name: id
        quote: true
        data_type: bigint
        data_tests:
          - not_null
          - unique
          - accepted_values: {arguments: {values: [1]}}
          - relationships: {arguments: {to: ref('stg_warm'), field: id}}
unit_tests:
  - name: warm_unit
    model: warm
    given: [{input: ref('stg_warm'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
""",
}
"""One of each kind: dbt makes the code that reads and writes a kind when it first meets it."""
_QUIET = (
    "--quiet",
    "--no-use-colors",
    "--no-send-anonymous-usage-stats",
    "--no-version-check",
    "--no-partial-parse",
    "--log-level=none",
    "--log-level-file=none",
    "--no-write-json",
    "--no-print",
    "--no-static-parser",  # its Rust thread pool does not survive the fork: the child hangs
    "--single-threaded",  # an exception in a result callback would deadlock dbt's pool
)


def prepare(project: DbtProject, warehouse: Warehouse, workdir: Path) -> Path:
    """Guard this process, then render the project. Returns its folder."""
    dbt_guard.install(warehouse.password)
    return dbt_project.render(project, warehouse, workdir)


def invoke(
    root: Path, warehouse: Warehouse, args: Sequence[str], manifest: Manifest | None = None
) -> dbtRunnerResult:
    """One dbt command on the rendered project. Never raises: the result carries the exception."""
    options = ["--project-dir", str(root), "--profiles-dir", str(root)]
    options += ["--log-path", str(root / "logs")]
    variables = json.dumps(dbt_project.variables(warehouse))
    return dbtRunner(manifest=manifest).invoke(
        [*_QUIET, args[0], *options, "--vars", variables, *args[1:]]
    )


def parse(root: Path, warehouse: Warehouse, files: Sequence[DbtFile]) -> Manifest:
    """Parse everything. Raises TransformError naming file, line and remedy."""
    result = invoke(root, warehouse, ["parse"])
    if result.exception is not None:
        raise dbt_errors.translate(result.exception, files) from result.exception
    assert isinstance(result.result, Manifest)
    _refuse_hooks(result.result)
    _refuse_unanswered_names(result.result, warehouse, files)
    return result.result


def manifest_for(
    packed: str | None, root: Path, warehouse: Warehouse, files: Sequence[DbtFile]
) -> Manifest:
    """The parsed manifest: unpacked when the caller has one, else parsed now."""
    return unpack(packed, root) if packed else parse(root, warehouse, files)


def pack(manifest: Manifest) -> str:
    """The manifest as base64 msgpack: what `unpack` restores in another process.

    Takes the files' texts out of it, which only dbt's partial parsing would read.
    """
    manifest.files = {}
    return base64.b64encode(manifest.to_msgpack()).decode()


def unpack(packed: str, root: Path) -> Manifest:
    """Restore a packed manifest for the project rendered in `root`."""
    manifest = Manifest.from_msgpack(base64.b64decode(packed))
    for node in manifest.nodes.values():
        if isinstance(node, SeedNode):  # its CSV is read from where it was parsed
            node.root_path = str(root)
    return manifest


def graph_of(manifest: Manifest, files: Sequence[DbtFile] = ()) -> Graph:
    """The dependency graph. Raises TransformError on a circle."""
    linker = Linker()
    try:
        linker.link_graph(manifest)
    except RuntimeError as exc:
        raise dbt_errors.translate(exc, files) from exc
    return Graph(linker.graph)


def resolve(manifest: Manifest, graph: Graph, selectors: Iterable[str]) -> dict[str, list[str]]:
    """dbt selector → sorted unique ids of what a build of it runs, tests included."""
    manifest.build_parent_and_child_maps()
    chooser = ResourceTypeSelector(graph, manifest, None, list(BUILDABLE))
    return {selector: _resolve_one(chooser, selector) for selector in selectors}


def _resolve_one(chooser: ResourceTypeSelector, selector: str) -> list[str]:
    try:
        spec = parse_difference(selector.split() or None, None)
        return sorted(chooser.get_selected(spec, warn_on_no_nodes=False))
    except Exception as exc:
        raise TransformError(
            f"The dbt selector {selector!r} cannot be read: {dbt_errors.first_line(exc)}",
            "Use dbt's selection syntax, for example +daily_orders or source:raw.shop__orders+",
            selector=selector,
        ) from exc


def run_only(task_class: Any, chosen: set[str]) -> None:
    """Let the next task of this class (BuildTask, CompileTask) take exactly these nodes.

    Names on dbt's command line can be ambiguous.
    """
    make = task_class.get_node_selector

    def get_node_selector(task: Any, *args: Any, **kwargs: Any) -> Any:
        selector: Any = make(task, *args, **kwargs)
        selector.get_selected = lambda spec, warn_on_no_nodes=True: selector.filter_selection(
            chosen
        )
        return selector

    task_class.get_node_selector = get_node_selector


def _refuse_hooks(manifest: Manifest) -> None:
    for node in manifest.nodes.values():
        config: Any = node.config
        if getattr(config, "pre_hook", None) or getattr(config, "post_hook", None):
            path = dbt_errors.tenant_path(node.original_file_path)
            raise TransformError(
                f"{path}: pre_hook and post_hook are not available here, because a build of this "
                "project may only create its own models.",
                f"Remove the hooks of {node.name}; a model or a macro can hold that SQL.",
                path=path,
            )


def _refuse_unanswered_names(
    manifest: Manifest, warehouse: Warehouse, files: Sequence[DbtFile]
) -> None:
    for node, name in dbt_names.unanswered_calls(manifest):
        known = {macro.name for macro in manifest.macros.values()}
        path = dbt_errors.tenant_path(node.original_file_path)
        raise dbt_errors.unanswered(path, name, known, files)
    given = [*dbt_project.variables(warehouse), *dbt_settings.of(files).variables]
    for node, name in dbt_names.missing_variables(manifest, given):
        path = dbt_errors.tenant_path(node.original_file_path)
        raise dbt_errors.missing_variable(path, name, files)


def warm() -> Manifest:
    """Import, compile and parse everything once, so that forked children start hot. No database.

    Returns a manifest with one of each kind.
    """
    warehouse = Warehouse(
        host="127.0.0.1",
        port=1,
        database="warm",
        username="warm",
        password="",
        owner_role="warm",
        schema_prefix="tenant_warm",
    )
    project = DbtProject(
        files=tuple(DbtFile(path=path, content=content) for path, content in WARM_FILES.items())
    )
    dbt_macro_cache.install()
    with tempfile.TemporaryDirectory() as folder:
        root = dbt_project.render(project, warehouse, Path(folder))
        manifest = parse(root, warehouse, project.files)
        resolve(unpack(pack(manifest), root), graph_of(manifest), ["warm+"])
    agate_helper.build_type_tester([])  # loads babel's locales
    dbt_macro_cache.compile_all(manifest.macros.values())
    dbt_macro_cache.freeze()
    return manifest
