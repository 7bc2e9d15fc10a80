"""Streams as dlt resources: finished raw files, and the cursor they leave behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import dlt
from dlt.extract import DltResource

from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.rawfile import RawFiles, raw_name
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.dialects import open_session
from etlfabric_dagster.connectors.sql_database.layout import Layout, lay_out
from etlfabric_dagster.connectors.sql_database.session import Session, Span
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan

BY_CURSOR = (LoadMode.INCREMENTAL, LoadMode.APPEND, LoadMode.MERGE)


def resources(
    source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
) -> list[DltResource]:
    """One lazy resource per stream, in order. Raises InvalidInputError for a bad config."""
    target = Target.parse(source)
    return [resource_for(target, plan, context) for plan in streams]


def resource_for(target: Target, plan: StreamPlan, context: ExtractContext) -> DltResource:
    """The lazy resource of one stream."""

    def files() -> Iterator[Any]:
        load_id = cast(str, dlt.current.load_package_state().get("load_id"))
        layout, finished, state = read_stream(target, plan, context, load_id)
        if state is not None:
            context.state[plan.name] = state
        hints = dlt.mark.make_hints(columns=cast(Any, layout.hints))
        for path, rows in finished:
            yield dlt.mark.with_file_import(path, "csv", rows, hints=hints)

    resource = dlt.resource(files, name=plan.table, file_format="csv", max_table_nesting=0)
    if plan.primary_key:
        resource.apply_hints(primary_key=[raw_name(name) for name in plan.primary_key])
    return resource


def read_stream(
    target: Target, plan: StreamPlan, context: ExtractContext, load_id: str
) -> tuple[Layout, list[tuple[str, int]], dict[str, Any] | None]:
    """Read what the plan asks for in one snapshot: layout, files with their rows, new state.

    Raises:
        ConnectorError: `where["stream"]` is the stream; nothing of it may be loaded.
    """
    try:
        with open_session(target) as session:
            return _read(session, target, plan, context, load_id)
    except FabricError as exc:
        exc.where.setdefault("stream", plan.name)
        raise


def _read(
    session: Session, target: Target, plan: StreamPlan, context: ExtractContext, load_id: str
) -> tuple[Layout, list[tuple[str, int]], dict[str, Any] | None]:
    columns = session.columns(plan.name)
    if not columns:
        readable, closed = session.tables()
        if plan.name in closed:
            raise problems.unreadable(target, [plan.name], len(readable) + len(closed))
        raise problems.vanished(target, plan.name)
    layout = lay_out(plan, columns, context, load_id)
    span = span_of(plan, columns, context.state.get(plan.name))
    if span and (nulls := session.null_count(plan.name, span.cursor)):
        raise problems.cursor_has_nulls(plan.name, span.cursor.name, nulls)
    state = session.high_water(plan.name, layout, span, bool(plan.primary_key)) if span else None
    if state is not None:
        state["offered"] = len(columns)
    files = RawFiles(context.workdir, _stem(plan.table), layout.names)
    tick = partial(context.progress, plan.name)
    tick(session.read(plan.name, layout, span, files, tick))
    return layout, files.finished(), state


def span_of(
    plan: StreamPlan, columns: Sequence[SourceColumn], state: dict[str, Any] | None
) -> Span | None:
    """The rows to read; None for a stream that is read whole.

    Raises:
        ConnectorError: the cursor is missing from the plan or the table.
    """
    by_cursor = plan.mode in BY_CURSOR or (plan.mode is LoadMode.SCD2 and plan.primary_key)
    if plan.cursor is None or not by_cursor:
        return None
    cursor = next((c for c in columns if c.name == plan.cursor), None)
    if cursor is None:
        raise problems.no_column(plan.name, plan.cursor, "cursor")
    if plan.full_refresh or not state:
        initial = None if plan.initial_value is None else str(plan.initial_value)
        return Span(cursor, initial, 0)
    known = {column.name for column in columns}
    seen = state.get("seen", ()) if set(state["columns"]) <= known else ()
    return Span(cursor, state["cursor"], plan.lag_s, tuple(seen), tuple(state["columns"]))


def _stem(table: str) -> str:
    """A file name for a table, whatever its name."""
    return hashlib.md5(table.encode(), usedforsecurity=False).hexdigest()
