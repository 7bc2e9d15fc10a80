"""dlt sources as a package of an operator would have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow as pa

ROWS: list[dict[str, Any]] = [{"id": 1, "at": 1}, {"id": 2, "at": 2}]


@dlt.source
def shop(token: str, count: int = 2) -> Any:
    """Orders and customers of a shop."""

    @dlt.resource(primary_key="id")
    def orders() -> Iterator[list[dict[str, Any]]]:
        yield [{"id": n, "Token": token} for n in range(count)]

    @dlt.resource
    def customers() -> Iterator[dict[str, Any]]:
        yield {"name": "a"}

    return [orders, customers]


@dlt.resource(name="events")
def events(
    at: Any = dlt.sources.incremental("at", initial_value=0),  # noqa: B008
) -> Iterator[list[dict[str, Any]]]:
    """Events by time."""
    yield [row for row in ROWS if row["at"] >= at.last_value]


@dlt.resource(incremental=dlt.sources.incremental("at"))
def hinted() -> Iterator[list[dict[str, Any]]]:
    """Its cursor is a hint, not a parameter."""
    yield list(ROWS)


@dlt.resource
def plain() -> Iterator[list[dict[str, Any]]]:
    yield list(ROWS)


@dlt.resource
def arrow() -> Iterator[pa.Table]:
    yield pa.table({"ID": [1], "price": pa.array([1], pa.decimal128(10, 2))})


@dlt.source
def broken(token: str) -> Any:
    raise RuntimeError("no such shop\nand much more")


@dlt.resource
def broken_later() -> Iterator[dict[str, Any]]:
    yield {"id": 1}
    raise RuntimeError("the file ended")


def neither() -> int:
    return 1


NOT_CALLABLE = 1
