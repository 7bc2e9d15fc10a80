"""Schema changes that loads found, and what people decide about columns a frozen pipeline refused.

A decision is kept on the stream: the next run loads the column, or leaves it out for good.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_

from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.models import SchemaChangeRow, Stream
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.pipelines import StreamOut
from etlfabric_dagster.schemas.streams import (
    ColumnDecision,
    ColumnPolicy,
    SchemaChangeOut,
    SchemaPolicy,
)
from etlfabric_dagster.services import audit, paging, pipelines, stream_settings
from etlfabric_dagster.services.scope import OrgScope

MAX_COLUMN = 200


async def list_changes(
    scope: OrgScope, pipeline: str, *, cursor: str | None = None, limit: int = 50
) -> Page[SchemaChangeOut]:
    """Changes of a pipeline's tables, newest first. Raises NotFoundError."""
    row = await pipelines.find(scope, pipeline)
    query = select(SchemaChangeRow).where(SchemaChangeRow.pipeline_id == row.id)
    key = SchemaChangeRow.found_at, SchemaChangeRow.id
    if cursor is not None:
        query = query.where(tuple_(*key) < paging.decode(cursor, datetime.fromisoformat, UUID))
    query = query.order_by(*(column.desc() for column in key)).limit(limit + 1)
    rows = list(await scope.session.scalars(query))
    found = paging.page(rows, limit, lambda one: (one.found_at, one.id))
    return Page(items=tuple(map(_out, found.items)), next=found.next)


async def decide(
    scope: OrgScope, pipeline: str, stream: str, column: str, decision: ColumnDecision
) -> StreamOut:
    """Accept or ignore a column (or nested table) that a frozen pipeline refused. Idempotent.

    Raises NotFoundError, and InvalidInputError where nothing is refused.
    """
    scope.require("pipelines.update")
    target = await pipelines.find(scope, pipeline)
    if SchemaPolicy(target.schema_policy) is not SchemaPolicy.FREEZE:
        raise InvalidInputError(
            f"'{pipeline}' is not frozen: it decides about new columns by its schema policy.",
            "Set its schema policy to freeze first, or leave it.",
            field="schema_policy",
        )
    if not 1 <= len(column) <= MAX_COLUMN:
        raise InvalidInputError("That cannot name a column.", "Name one.", field="column")
    row = await _stream(scope, target.id, stream)
    accepted, policies = set(row.accepted_columns), dict(row.columns)
    policies.pop(column, None)
    accepted.add(column)
    if decision is ColumnDecision.IGNORE:
        policies[column] = {"policy": str(ColumnPolicy.DROP)}
    row.accepted_columns, row.columns = sorted(accepted), policies
    await scope.session.flush()
    await scope.touch_config()
    made = {"stream": stream, "column": column, "decision": decision}
    await audit.record(scope, "pipelines.update", f"pipelines/{pipeline}", after=made)
    return stream_settings.to_out(row)


async def _stream(scope: OrgScope, pipeline_id: UUID, name: str) -> Stream:
    query = select(Stream).where(Stream.pipeline_id == pipeline_id, Stream.name == name)
    row = await scope.session.scalar(query)
    if row is None:
        raise NotFoundError(f"The pipeline has no stream '{name[:200]}'.", "List its streams.")
    return row


def _out(row: SchemaChangeRow) -> SchemaChangeOut:
    return SchemaChangeOut(
        id=row.id,
        run=row.run_id,
        found_at=row.found_at,
        stream=row.stream,
        table=row.table_name,
        column=row.column_name,
        change=row.change,
        old_type=row.old_type,
        new_type=row.new_type,
        decision=row.decision,
    )
