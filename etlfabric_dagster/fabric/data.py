"""Tables of an org's data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.schemas.data import DataLayer, Profile, TableDetail, TableInfo
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.services import data


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
        return self._scoped(lambda scope: data.describe(scope, DataLayer(schema), name))

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
        return _run(
            data.rows(
                self._actor,
                self._slug,
                DataLayer(schema),
                name,
                order_by=order_by,
                descending=descending,
                offset=offset,
                limit=limit,
            )
        )

    def profile(self, schema: str, name: str) -> Profile:
        """Nulls, distinct values, least and greatest of each column, in at most 50,000 rows.

        >>> demo.data.profile("marts", "daily_orders").columns[0].nulls
        0
        """
        return _run(data.profile(self._actor, self._slug, DataLayer(schema), name))

    def download(self, schema: str, name: str, file: Path | str) -> int:
        """Write the whole table as CSV; returns its bytes.

        >>> demo.data.download("marts", "daily_orders", folder / "daily.csv") > 100
        True
        """
        return _run(self._download(DataLayer(schema), name, Path(file)))

    async def _download(self, layer: DataLayer, name: str, file: Path) -> int:
        written = 0
        with file.open("wb") as target:
            async for piece in data.csv(self._actor, self._slug, layer, name):
                written += target.write(piece)
        return written

    def _page(self, layer: DataLayer | None, q: str | None, cursor: str | None) -> Any:
        return self._scoped(lambda scope: data.list_tables(scope, layer=layer, q=q, cursor=cursor))
