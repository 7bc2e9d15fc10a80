"""A source and the pipeline that loads from it, for tests of what is shown and made of them."""

from __future__ import annotations

from uuid import UUID

from etlfabric_dagster.models import Connection, Pipeline, Stream
from etlfabric_dagster.schemas.streams import ColumnInfo, TableSchema
from etlfabric_dagster.services.scope import OPERATOR, org_scope


async def add_shop(slug: str, **streams: tuple[ColumnInfo, ...]) -> UUID:
    """A connection `shop` and a pipeline `shop` on it, its id; tables are `shop__{stream}`.

    Args:
        streams: with the columns that a first load found; none = it was never loaded.
    """
    async with org_scope(OPERATOR, slug) as scope:
        source = Connection(name="shop", connector="rest_api", config={}, secret_names=[])
        scope.session.add(source)
        await scope.session.flush()
        pipeline = Pipeline(
            name="shop", connection_id=source.id, table_prefix="shop__", schema_policy="evolve"
        )
        scope.session.add(pipeline)
        await scope.session.flush()
        scope.session.add_all(_stream(pipeline.id, name, one) for name, one in streams.items())
        return pipeline.id


def _stream(pipeline_id: UUID, name: str, columns: tuple[ColumnInfo, ...]) -> Stream:
    table = TableSchema(table=f"shop__{name}", stream=name, columns=columns)
    return Stream(
        pipeline_id=pipeline_id,
        name=name,
        table_name=table.table,
        mode="full",
        tables=[table.model_dump(mode="json")] if columns else [],
    )
