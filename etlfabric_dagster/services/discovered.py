"""Discovered streams for the panel: searched, filtered, paged and edited in bulk on the server.

Reads the discovery stored with the connection; nothing is dialled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.models import Connection, Pipeline, Stream
from etlfabric_dagster.schemas.discovered import (
    BulkChange,
    BulkReport,
    OfferedPage,
    OfferedStream,
    StreamFilter,
)
from etlfabric_dagster.schemas.streams import DiscoveredStream, Discovery, StreamSettings
from etlfabric_dagster.services import connections, paging, pipelines, stream_settings
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

PAGE = 50


async def list_streams(
    scope: OrgScope,
    connection: str,
    *,
    pipeline: str | None = None,
    only: StreamFilter | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> OfferedPage:
    """Streams by name, one page, as `pipeline` has them set. Raises NotFoundError.

    Before the first discovery the page is empty and `discovered_at` None.
    """
    row = await connections.find(scope, connection)
    target = await pipelines.find(scope, pipeline) if pipeline else None
    offered = await _offered(scope, row, target.id if target else None)
    matching = [stream for stream in offered if _fits(stream, only or StreamFilter())]
    after = paging.decode(cursor, str)[0] if cursor else ""
    rest = [stream for stream in matching if stream.name > after]
    page = paging.page(rest[: limit + 1], limit, lambda stream: (stream.name,))
    return OfferedPage(
        items=page.items,
        next=page.next,
        offered=len(offered),
        matching=len(matching),
        selected=sum(stream.selected for stream in offered),
        discovered_at=row.discovered_at,
    )


async def edit_all(
    actor: Actor, slug: str, pipeline: str, only: StreamFilter, change: BulkChange
) -> BulkReport:
    """Apply a change to every stream that the filter means; those that cannot take it stay.

    The source is discovered again, as at every edit of streams. Raises as `pipelines.update`.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.update")
        target = await pipelines.find(scope, pipeline)
        row = await connection_of(scope, target)
        offered = await _offered(scope, row, target.id)
        found = Discovery.model_validate(row.discovery or {"streams": []})
        settings = await _settings(scope, target.id)
    meant = {stream.name for stream in offered if not stream.gone and _fits(stream, only)}
    changed: dict[str, StreamSettings] = {}
    skipped: dict[str, str] = {}
    for stream in found.streams:
        before = settings.get(stream.name)
        after = _changed(stream, before, change)
        if stream.name not in meant or after == before or not (before or after.selected):
            continue
        try:
            stream_settings.check(stream.name, after, stream)
            changed[stream.name] = after
        except InvalidInputError as exc:
            skipped[stream.name] = exc.message
    if changed:
        names = {stream.name for stream in found.streams}
        kept = {name: value for name, value in settings.items() if name in names}
        wanted = {name: value.model_dump(mode="json") for name, value in (kept | changed).items()}
        await pipelines.update(actor, slug, pipeline, streams=wanted)
    return BulkReport(changed=tuple(changed), skipped=skipped)


async def connection_of(scope: OrgScope, pipeline: Pipeline) -> Connection:
    """Where it loads from. Raises InvalidInputError for one that only transforms."""
    if pipeline.connection_id is None:
        raise InvalidInputError(
            f"Pipeline '{pipeline.name}' loads nothing: it has no connection.",
            "Change its dbt selector instead.",
            field="streams",
        )
    return await scope.session.get_one(Connection, pipeline.connection_id)


async def _settings(scope: OrgScope, pipeline_id: UUID) -> dict[str, StreamSettings]:
    """What the pipeline has set, of streams that are selected or were."""
    rows = await scope.session.scalars(select(Stream).where(Stream.pipeline_id == pipeline_id))
    return {row.name: settings_of(row) for row in rows}


def settings_of(row: Stream) -> StreamSettings:
    """The row's settings, as a streams file would write them."""
    fields = {name: getattr(row, name) for name in StreamSettings.model_fields}
    return StreamSettings.model_validate(fields)


def _changed(
    stream: DiscoveredStream, before: StreamSettings | None, change: BulkChange
) -> StreamSettings:
    base = before or _as_offered(stream)
    values: dict[str, Any] = base.model_dump()
    values["selected"] = base.selected if change.selected is None else change.selected
    values["mode"] = change.mode or base.mode
    columns = {column.name for column in stream.columns}
    policies = {name: p for name, p in change.policies.items() if name in columns}
    values["columns"] |= {name: {"policy": policy} for name, policy in policies.items()}
    return StreamSettings.model_validate(values)


async def _offered(
    scope: OrgScope, connection: Connection, pipeline_id: UUID | None
) -> list[OfferedStream]:
    found = Discovery.model_validate(connection.discovery or {"streams": []})
    settings = await _settings(scope, pipeline_id) if pipeline_id else {}
    offered = {stream.name: _offer(stream, settings) for stream in found.streams}
    for name, value in settings.items():
        if name not in offered and value.selected:
            offered[name] = _out(name, value, gone=True)
    return [offered[name] for name in sorted(offered)]


def _as_offered(stream: DiscoveredStream) -> StreamSettings:
    """The defaults of a stream that the pipeline does not load."""
    return stream_settings.default_settings(stream).model_copy(update={"selected": False})


def _offer(stream: DiscoveredStream, settings: Mapping[str, StreamSettings]) -> OfferedStream:
    return _out(
        stream.name,
        settings.get(stream.name) or _as_offered(stream),
        cursor_candidates=stream.cursor_candidates,
        row_estimate=stream.row_estimate,
        columns=stream.columns,
    )


def _out(name: str, value: StreamSettings, **facts: Any) -> OfferedStream:
    return OfferedStream(
        name=name,
        selected=value.selected,
        mode=value.mode,
        cursor=value.cursor,
        primary_key=value.primary_key,
        policies=value.columns,
        **facts,
    )


def _fits(stream: OfferedStream, only: StreamFilter) -> bool:
    return (
        (only.q is None or only.q.casefold() in stream.name.casefold())
        and (only.selected is None or stream.selected == only.selected)
        and (only.mode is None or stream.mode == only.mode)
        and (only.has_cursor is None or bool(stream.cursor_candidates) == only.has_cursor)
    )
