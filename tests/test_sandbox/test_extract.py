"""Loading streams into a tenant's real schemas: modes, policies, failures, kills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from etlfabric_dagster.sandbox import catalog
from etlfabric_dagster.schemas.jobs import (
    DoneEvent,
    ExtractJob,
    Limits,
    SourceConfig,
    StreamEvent,
    Warehouse,
)
from etlfabric_dagster.schemas.runs import StreamResult
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from etlfabric_dagster.testing import SandboxServer

FORMS = ["items", "arrow", "csv"]
TYPES = {"id": "bigint", "name": "text", "at": "bigint"}


class Bench:
    """One pipeline of one org, run again and again."""

    def __init__(self, sandbox: SandboxServer, warehouse: Warehouse) -> None:
        self.sandbox, self.warehouse = sandbox, warehouse
        self.state: str | None = None
        self.payload: dict[str, Any] = {}
        self.conn = catalog.connect(warehouse)

    def run(
        self, config: dict[str, Any], *plans: StreamPlan, cached: bool = True, **fields: Any
    ) -> dict[str, StreamResult]:
        """Load; returns each stream's result."""
        job = ExtractJob(
            pipeline="p_test",
            source=SourceConfig(connector="loader", config=config),
            warehouse=self.warehouse,
            streams=plans,
            state=self.state if cached else None,
            limits=Limits(wall_s=120),
            **fields,
        )
        results = {}
        self.state = None
        for event in self.sandbox.client.call(job):
            if isinstance(event, StreamEvent):
                results[event.name] = event.result
            if isinstance(event, DoneEvent):
                self.payload = event.payload
                self.state = event.payload["state"]
        return results

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the raw schema, as the tenant."""
        self.conn.execute(f"SET search_path = {self.warehouse.raw}")
        return self.conn.execute(query).fetchall()

    def types(self, table: str) -> dict[str, str]:
        found = catalog.read_tables(self.conn, self.warehouse.raw, [table])
        return found.get(table, {})


@pytest.fixture
def bench(sandbox: SandboxServer, warehouse: Warehouse) -> Iterator[Bench]:
    made = Bench(sandbox, warehouse)
    yield made
    made.conn.close()


def plan(mode: LoadMode, **fields: Any) -> StreamPlan:
    return StreamPlan(name="orders", table="shop__orders", mode=mode, **fields)


def orders(*rows: tuple[int, str | None, int], form: str = "items", **more: Any) -> dict[str, Any]:
    listed = [dict(zip(TYPES, row, strict=True)) for row in rows]
    return {"orders": {"rows": listed, "form": form, "types": TYPES, **more}}


ALL = "SELECT id, name, at FROM shop__orders ORDER BY id, at"


@pytest.mark.parametrize("form", FORMS)
def test_full_replaces_everything(bench: Bench, form: str) -> None:
    first = bench.run(orders((1, "a", 1), (2, None, 2), form=form), plan(LoadMode.FULL))
    assert (first["orders"].status, first["orders"].rows) == ("succeeded", 2), first
    assert bench.rows(ALL) == [(1, "a", 1), (2, None, 2)]
    second = bench.run(orders((2, "", 3), (3, "c", 3), form=form), plan(LoadMode.FULL))
    assert second["orders"].rows == 2
    assert bench.rows(ALL) == [(2, "", 3), (3, "c", 3)]
