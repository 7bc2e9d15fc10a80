"""What a user chose for streams, held against what discovery found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.models import Pipeline, Stream
from etlfabric_dagster.schemas.naming import shortened, snake_case
from etlfabric_dagster.schemas.pipelines import StreamOut
from etlfabric_dagster.schemas.streams import (
    ColumnPolicy,
    DiscoveredStream,
    Discovery,
    LoadMode,
    StreamPlan,
    StreamSettings,
)

Chosen = dict[str, tuple[StreamSettings, DiscoveredStream]]

_PREFIX = re.compile(r"([a-z][a-z0-9_]{0,39})?")
RELOADING = frozenset({"mode", "cursor", "primary_key", "initial_value"})
"""Settings whose change loads a stream again from the start."""


def resolve(streams: Mapping[str, Any] | Literal["all"], found: Discovery) -> Chosen:
    """Stream name → (settings, discovery) for everything that is to be loaded.

    Raises InvalidInputError naming the stream and the field.
    """
    offered = {stream.name: stream for stream in found.streams}
    if streams == "all":
        return {name: (default_settings(stream), stream) for name, stream in offered.items()}
    chosen: Chosen = {}
    for name, given in streams.items():
        if name not in offered:
            raise InvalidInputError(
                f"The connection has no stream '{name}'.",
                f"Choose among: {', '.join(sorted(offered)[:20])}.",
                field=f"streams.{name}",
            )
        settings = _parse(name, given)
        check(name, settings, offered[name])
        chosen[name] = (settings, offered[name])
    return chosen


def default_settings(stream: DiscoveredStream) -> StreamSettings:
    """Incremental where a key and a cursor that moves on every update are known, else full."""
    if stream.primary_key and stream.update_cursor:
        return StreamSettings(
            mode=LoadMode.INCREMENTAL,
            cursor=stream.update_cursor,
            primary_key=stream.primary_key,
        )
    return StreamSettings(mode=LoadMode.FULL, primary_key=stream.primary_key)


def apply(
    session: AsyncSession,
    pipeline: Pipeline,
    row: Stream | None,
    settings: StreamSettings,
    discovered: DiscoveredStream,
) -> None:
    """Write the settings to the stream's row, a new one if need be."""
    values = settings.model_dump(mode="json")
    if row is None:
        table = shortened(pipeline.table_prefix + snake_case(discovered.name))
        row = Stream(pipeline_id=pipeline.id, name=discovered.name, table_name=table)
        row.tables, row.accepted_columns, row.needs_full_refresh = [], [], False
        session.add(row)
    elif any(getattr(row, field) != values[field] for field in RELOADING):
        row.needs_full_refresh = True
    for field, value in values.items():
        setattr(row, field, value)
    row.discovered = [column.model_dump(mode="json") for column in discovered.columns]


def plan(row: Stream, full_refresh: bool) -> StreamPlan:
    """What the sandbox is told to load."""
    return StreamPlan(
        name=row.name,
        table=row.table_name,
        mode=LoadMode(row.mode),
        cursor=row.cursor,
        initial_value=row.initial_value,
        lag_s=row.lag_s,
        primary_key=tuple(row.primary_key),
        columns={name: ColumnPolicy(c["policy"]) for name, c in row.columns.items()},
        full_refresh=full_refresh or row.needs_full_refresh,
    )


def to_out(row: Stream) -> StreamOut:
    """The row as a value."""
    fields = {name: getattr(row, name) for name in StreamOut.model_fields if name != "table"}
    return StreamOut.model_validate({**fields, "table": row.table_name})


def checked_prefix(prefix: str) -> str:
    """Raises InvalidInputError unless raw tables can start with it."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInputError(
            f"'{prefix[:60]}' cannot be a table prefix.",
            "Use lower-case letters, digits and underscores, or nothing.",
            field="table_prefix",
        )
    return prefix


def check_has_work(connection: str | None, models: str | None) -> None:
    """Raises InvalidInputError for a pipeline that would neither load nor transform."""
    if connection is None and not models:
        raise InvalidInputError(
            "A pipeline without a connection needs a dbt selector.",
            "Give --connection, or --models for a transform-only pipeline.",
            field="models",
        )


def _parse(name: str, given: Any) -> StreamSettings:
    try:
        return StreamSettings.model_validate(given)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ("streams", name, *error["loc"]))
        raise InvalidInputError(
            f"{place}: {error['msg']}.", "Correct the streams file.", field=place
        ) from exc


def check(name: str, settings: StreamSettings, stream: DiscoveredStream) -> None:
    """Raises InvalidInputError unless the stream can be loaded so."""
    _check_needs(name, settings)
    known = {column.name for column in stream.columns}
    known |= set(stream.cursor_candidates) if known else set()  # files add one as they are read
    named = {*settings.primary_key, *settings.columns}
    if settings.cursor:
        named.add(settings.cursor.split(".")[0])
    unknown = sorted(named - known) if known else []
    if unknown:
        raise InvalidInputError(
            f"Stream '{name}' has no column {', '.join(unknown)}.",
            f"Its columns: {', '.join(sorted(known)[:30])}.",
            field=f"streams.{name}",
        )
    dropped = {c for c, s in settings.columns.items() if s.policy is not ColumnPolicy.KEEP}
    if needed := sorted(dropped & {*settings.primary_key, settings.cursor or ""}):
        raise InvalidInputError(
            f"Stream '{name}' needs {', '.join(needed)} as key or cursor.",
            "Keep that column.",
            field=f"streams.{name}.columns",
        )


def _check_needs(name: str, settings: StreamSettings) -> None:
    needs_cursor = settings.mode in (LoadMode.INCREMENTAL, LoadMode.APPEND)
    needs_key = settings.mode is LoadMode.MERGE
    if needs_cursor and not settings.cursor:
        raise InvalidInputError(
            f"Stream '{name}' is {settings.mode} without a cursor.",
            "Name a cursor column, or choose full.",
            field=f"streams.{name}.cursor",
        )
    if needs_key and not settings.primary_key:
        raise InvalidInputError(
            f"Stream '{name}' is merge without a primary key.",
            "Name its primary_key, or choose full.",
            field=f"streams.{name}.primary_key",
        )
