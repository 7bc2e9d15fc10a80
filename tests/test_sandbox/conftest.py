"""What the tests of the sandbox share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.testing import SandboxServer
from tests.test_sandbox.bench import Bench, EachForm
from tests.test_sandbox.dbt_tenant import data_database, tenant

__all__ = ["bench", "data_database", "tenant"]


@pytest.fixture
def bench(sandbox: SandboxServer, warehouse: Warehouse) -> Iterator[Bench]:
    made = Bench(sandbox, warehouse)
    yield made
    made.conn.close()


@pytest.fixture
def each_form(bench: Bench) -> EachForm:
    return EachForm(bench)
