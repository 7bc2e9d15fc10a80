"""Tables of an org's data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.fabric.gateway import Request, at, sent
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.data import (
    DataLayer,
    Profile,
    RowFilter,
    RowPage,
    TableDetail,
    TableInfo,
)
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.services import data
from etlfabric_dagster.services.scope import Actor


class Data(InOrg):
    """Tables and views of raw, staging and marts, read as the org's read-only login."""

    def tables(self, *, schema: str | None = None, q: str | None = None) -> Iterator[TableInfo]:
        """Tables by schema and name, with row estimates and sizes; fetched page by page.

        >>> "daily_orders" in [table.name for table in demo.data.tables(schema="marts")]
        True
        """
        cursor: str | None = None
        while True:
            page = self._page(DataLayer(schema) if schema else None, q, cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def table(self, schema: str, name: str) -> TableDetail:
        """One table with its columns. Raises NotFoundError.

        >>> demo.data.table("marts", "daily_orders").column_list[0].name
        'day'
        """
        return self._scoped(
            lambda scope: data.describe(scope, DataLayer(schema), name),
            sent("GET", at("data", schema, name), TableDetail),
        )

    def rows(
        self,
        schema: str,
        name: str,
        *,
        order_by: str | None = None,
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> TableResult:
        """Some rows, at most 1,000.

        >>> len(demo.data.rows("marts", "daily_orders", order_by="day", limit=2).rows)
        2
        """
        given: dict[str, Any] = {
            "order_by": order_by,
            "descending": descending,
            "offset": offset,
            "limit": limit,
        }
        return self._ask(
            lambda actor, slug: data.rows(actor, slug, DataLayer(schema), name, **given),
            sent("GET", at("data", schema, name, "rows"), TableResult, **given),
        )

    def browse(
        self,
        schema: str,
        name: str,
        *,
        order_by: str | None = None,
        descending: bool = False,
        filters: Sequence[RowFilter] = (),
        limit: int = 1000,
    ) -> Iterator[RowPage]:
        """All rows that the filters keep, as text, page by page; a late page costs what the first
        did.

        >>> pages = demo.data.browse("marts", "daily_orders", order_by="day", limit=2)
        >>> next(pages).rows[0][0] < next(pages).rows[0][0]
        True
        """
        cursor: str | None = None
        while True:
            given: dict[str, Any] = {
                "order_by": order_by,
                "descending": descending,
                "filters": tuple(filters),
                "cursor": cursor,
                "limit": limit,
            }
            page = self._rows(schema, name, given)
            yield page
            cursor = page.next
            if cursor is None:
                return

    def value(self, schema: str, name: str, column: str, place: str) -> str | None:
        """One value, whole, of the row at a place that a page told. Raises NotFoundError.

        >>> page = next(demo.data.browse("marts", "daily_orders", limit=1))
        >>> demo.data.value("marts", "daily_orders", "day", page.places[0]) == page.rows[0][0]
        True
        """

        def read(body: bytes) -> str | None:
            return json.loads(body)["value"]

        params = {"column": column, "place": place}
        return self._ask(
            lambda actor, slug: data.value(actor, slug, DataLayer(schema), name, column, place),
            Request("GET", at("data", schema, name, "value"), read, params=params),
        )

    def profile(self, schema: str, name: str) -> Profile:
        """Nulls, distinct values, least and greatest of each column, in at most 50,000 rows.

        >>> demo.data.profile("marts", "daily_orders").columns[0].nulls
        0
        """
        return self._ask(
            lambda actor, slug: data.profile(actor, slug, DataLayer(schema), name),
            sent("GET", at("data", schema, name, "profile"), Profile),
        )

    def download(self, schema: str, name: str, file: Path | str) -> int:
        """Write the whole table as CSV; returns its bytes.

        >>> demo.data.download("marts", "daily_orders", folder / "daily.csv") > 100
        True
        """
        target = Path(file)

        async def here(actor: Actor, slug: str) -> int:
            written = 0
            with await asyncio.to_thread(target.open, "wb") as opened:
                async for piece in data.csv(actor, slug, DataLayer(schema), name):
                    written += opened.write(piece)
            return written

        there = Request("GET", at("data", schema, name, "csv"), target.write_bytes)
        return self._ask(here, there)

    def _rows(self, schema: str, name: str, given: dict[str, Any]) -> RowPage:
        body = given | {"filters": [one.model_dump() for one in given["filters"]]}
        return self._ask(
            lambda actor, slug: data.page(actor, slug, DataLayer(schema), name, **given),
            sent("POST", at("data", schema, name, "page"), RowPage, body),
        )

    def _page(self, layer: DataLayer | None, q: str | None, cursor: str | None) -> Page[TableInfo]:
        return self._scoped(
            lambda scope: data.list_tables(scope, layer=layer, q=q, cursor=cursor),
            sent("GET", "data", Page[TableInfo], schema=layer, q=q, cursor=cursor),
        )
