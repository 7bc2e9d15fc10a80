"""One pipeline that tests load again and again, and the short words they use for it."""

from __future__ import annotations

import operator
from typing import Any, TypeVar

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

T = TypeVar("T")
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


class EachForm:
    """The same rows as items, as Arrow and as files: three streams, which each job loads together.

    What is asked of them is answered once: the three must agree.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def run(
        self, config: dict[str, Any], plan: StreamPlan, **fields: Any
    ) -> dict[str, StreamResult]:
        """Load `config["orders"]` in each form; each form's result."""
        streams = {form: config["orders"] | {"form": form} for form in FORMS}
        plans = [plan.model_copy(update={"name": form, "table": table(form)}) for form in FORMS]
        return self.bench.run(streams, *plans, **fields)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Of a query on `shop__orders`."""
        answers = {form: query.replace(table("orders"), table(form)) for form in FORMS}
        return agreed({form: self.bench.rows(sql) for form, sql in answers.items()})

    def columns(self) -> dict[str, str]:
        """The types of the table's columns that the source has."""
        found = {form: self.bench.types(table(form)).items() for form in FORMS}
        return agreed(
            {
                form: {name: type_ for name, type_ in types if not name.startswith("_dlt")}
                for form, types in found.items()
            }
        )


def table(stream: str) -> str:
    """Where the stream's rows are."""
    return f"shop__{stream}"


def agreed(told: dict[str, T]) -> T:
    """What each of them says."""
    first, *others = told.values()
    assert all(other == first for other in others), told
    return first


def of_each(results: dict[str, StreamResult], *names: str) -> Any:
    """These attributes of each result."""
    return agreed({form: operator.attrgetter(*names)(one) for form, one in results.items()})


def plan(mode: LoadMode, **fields: Any) -> StreamPlan:
    return StreamPlan(name="orders", table="shop__orders", mode=mode, **fields)


def orders(*rows: tuple[int, str | None, int], form: str = "items", **more: Any) -> dict[str, Any]:
    listed = [dict(zip(TYPES, row, strict=True)) for row in rows]
    return {"orders": {"rows": listed, "form": form, "types": TYPES, **more}}


ALL = "SELECT id, name, at FROM shop__orders ORDER BY id, at"
