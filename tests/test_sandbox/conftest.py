"""A sandbox server that knows the test connector, found as any installed package's would be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.testing import SandboxServer, sandbox_server
from tests.test_sandbox.bench import Bench
from tests.test_sandbox.dbt_tenant import data_database, tenant

__all__ = ["bench", "data_database", "plugins", "sandbox", "tenant"]

ENTRY_POINTS = """[etlfabric.connectors]
plugin = tests.test_sandbox.plugin:CONNECTOR
loader = tests.test_sandbox.loader:CONNECTOR
"""


def install_plugin(directory: Path) -> tuple[Path, Path]:
    """Write the metadata of a package that adds the test connector; returns its import path."""
    info = directory / "fabric_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fabric-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return directory, Path(tests.__file__).parents[1]


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Import path with the test connector."""
    return install_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="session")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, plugins: tuple[Path, Path]
) -> Iterator[SandboxServer]:
    """The sandbox server of these tests."""
    with sandbox_server(tmp_path_factory.mktemp("sandbox"), plugins) as running:
        yield running


@pytest.fixture
def bench(sandbox: SandboxServer, warehouse: Warehouse) -> Iterator[Bench]:
    made = Bench(sandbox, warehouse)
    yield made
    made.conn.close()
