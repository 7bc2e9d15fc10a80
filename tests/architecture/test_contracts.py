"""Imports run one way, and what must stay apart stays apart."""

from __future__ import annotations

import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter import api

ROOT = Path(__file__).parents[2]
PACKAGES = ("etlfabric_dagster", "etlfabric_ui", "dbt_projects")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import of the project's modules, external packages included."""
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def contracts() -> list[str]:
    found = api.read_configuration(str(ROOT / "pyproject.toml"))
    return [contract["id"] for contract in found["contracts_options"]]


def test_imports_keep_every_contract() -> None:
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert f"Contracts: {len(contracts())} kept, 0 broken." in done.stdout
    assert {"layers", "sandbox", "engine-below-ui"} <= set(contracts())


@pytest.mark.parametrize(
    ("package", "only_in"),
    [
        ("dagster", "etlfabric_dagster.orchestration"),
        ("dagster_dlt", "etlfabric_dagster.orchestration"),
        ("dagster_dbt", "etlfabric_dagster.orchestration"),
        ("dagster_graphql", "etlfabric_dagster.orchestration"),
        ("dagster_postgres", "etlfabric_dagster.orchestration"),
        ("dagster_webserver", "etlfabric_dagster.orchestration"),
        ("cryptography", "etlfabric_dagster.security.crypto"),
        ("etlfabric_dagster", "etlfabric_ui.state etlfabric_ui.server"),
    ],
)
def test_package_is_imported_only_where_it_belongs(
    graph: grimp.ImportGraph, package: str, only_in: str
) -> None:
    home = only_in.split(".")[0]

    strays = [
        f"{importer} imports {imported}"
        for importer, imported in edges(graph)
        if within(imported, package) and not any(within(importer, one) for one in only_in.split())
        if package != "etlfabric_dagster" or within(importer, home)
    ]

    assert strays == []


def test_private_dagster_is_imported_only_by_compat() -> None:
    """Read from the text: the graph knows external packages by their first name only."""
    strays = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "etlfabric_dagster").rglob("*.py")
        if path.name != "compat.py"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if line.strip().startswith(("from dagster._", "import dagster._"))
    ]

    assert strays == []


def test_modules_import_without_cycles(graph: grimp.ImportGraph) -> None:
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for importer, imported in edges(graph):
        if imported.startswith(PACKAGES) and not within(imported, importer):
            sorter.add(importer, imported)

    sorter.prepare()  # raises CycleError naming the modules


def test_dependencies_are_declared_and_used() -> None:
    deptry = [str(Path(sys.executable).with_name("deptry")), ".", "--no-ansi"]
    done = subprocess.run(deptry, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["etlfabric_dagster", "etlfabric_dagster.schemas.snapshot"])
def test_importing_the_python_api_imports_no_dagster(module: str) -> None:
    script = f"import {module}, sys; print('dagster' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


def edges(graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    for module in sorted(graph.modules):
        if not graph.is_module_squashed(module):
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                yield module, imported


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
