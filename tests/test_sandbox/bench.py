"""One pipeline that tests load again and again, and the short words they use for it."""

from __future__ import annotations

from typing import Any

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
        """Load; returns each stream's result. Prints what failed, for whoever reads a failure."""
        job = self.job(config, *plans, cached=cached, **fields)
        results = {}
        self.state = None
        for event in self.sandbox.client.call(job):
            if isinstance(event, StreamEvent):
                results[event.name] = event.result
                print(event.name, event.result.error)
            if isinstance(event, DoneEvent):
                self.payload = event.payload
                self.state = event.payload["state"]
        return results

    def job(
        self, config: dict[str, Any], *plans: StreamPlan, cached: bool = True, **fields: Any
    ) -> ExtractJob:
        """What `run` hands to the sandbox."""
        return ExtractJob(
            pipeline="p_test",
            source=SourceConfig(connector=fields.pop("connector", "loader"), config=config),
            warehouse=self.warehouse,
            streams=plans,
            state=self.state if cached else None,
            limits=Limits(wall_s=120),
            **fields,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the raw schema, as the tenant."""
        self.conn.execute(f"SET search_path = {self.warehouse.raw}")
        return self.conn.execute(query).fetchall()

    def types(self, table: str) -> dict[str, str]:
        found = catalog.read_tables(self.conn, self.warehouse.raw, [table])
        return found.get(table, {})


def plan(mode: LoadMode, **fields: Any) -> StreamPlan:
    return StreamPlan(name="orders", table="shop__orders", mode=mode, **fields)


def orders(*rows: tuple[int, str | None, int], form: str = "items", **more: Any) -> dict[str, Any]:
    listed = [dict(zip(TYPES, row, strict=True)) for row in rows]
    return {"orders": {"rows": listed, "form": form, "types": TYPES, **more}}


ALL = "SELECT id, name, at FROM shop__orders ORDER BY id, at"
