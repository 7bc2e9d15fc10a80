"""Pipelines: a connection's selected streams, how they load, and the dbt models downstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from etlfabric_dagster.errors import ConflictError, NotFoundError
from etlfabric_dagster.models import Connection, Pipeline, Run, Schedule, Stream
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.pipelines import PipelineOut, StreamOut
from etlfabric_dagster.schemas.streams import Discovery, SchemaPolicy, StreamSettings
from etlfabric_dagster.services import (
    audit,
    connections,
    dbt_models,
    named_pages,
    stream_settings,
    tenants,
    versions,
)
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope, require

Streams = Mapping[str, Any] | Literal["all"]


async def create(
    actor: Actor,
    slug: str,
    name: str,
    *,
    connection: str | None = None,
    streams: Streams = "all",
    table_prefix: str | None = None,
    schema_policy: SchemaPolicy = SchemaPolicy.EVOLVE,
    models: str | None = None,
) -> PipelineOut:
    """Create a pipeline; with a connection its streams are discovered first.

    Args:
        streams: a streams file's content, or `all`: incremental where key and cursor are known,
        else full.
        table_prefix: of the raw tables; `{connection}__` by default, may be empty.
        models: a dbt selector; None builds what is downstream of the streams.

    Raises:
        InvalidInputError: unknown stream, mode without its key or cursor, no connection and no
        selector.
        ConflictError: name or raw table taken.
        ConnectorError: the connection cannot be discovered.
    """
    await require(actor, slug, "pipelines.create")
    connections.check_name(name, "pipeline")
    stream_settings.check_has_work(connection, models)
    found = await connections.discover(actor, slug, connection) if connection else None
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.create")
        prefix = f"{connection}__" if table_prefix is None and connection else table_prefix or ""
        row = Pipeline(
            name=name,
            connection_id=(await connections.find(scope, connection)).id if connection else None,
            table_prefix=stream_settings.checked_prefix(prefix),
            schema_policy=schema_policy,
            models=models,
        )
        scope.session.add(row)
        await _flush(scope, f"There is already a pipeline '{name}' in '{slug}'.")
        await tenants.add_pipeline_login(scope.session, scope.org_id, row.id)
        if found is not None:
            await _set_streams(scope, row, streams, found)
        await scope.touch_config()
        made = await get(scope, name)
        await audit.record(scope, "pipelines.create", f"pipelines/{name}", after=_facts(made))
    await dbt_models.regenerate(actor, slug)
    return await get_by_name(actor, slug, name)


async def update(
    actor: Actor,
    slug: str,
    name: str,
    *,
    streams: Streams | None = None,
    schema_policy: SchemaPolicy | None = None,
    models: str | None = None,
    clear_models: bool = False,
    expected: str | None = None,
) -> PipelineOut:
    """Change what is given. A stream whose mode, key or cursor changed reloads at the next run.

    Args:
        expected: `version_of` what the edit was made from.

    Raises what `create` raises, and EditedMeanwhileError.
    """
    await require(actor, slug, "pipelines.update")
    found = await _rediscover(actor, slug, name) if streams is not None else None
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.update")
        row, before = await find(scope, name, lock=True), await get(scope, name)
        await versions.refuse_lost_update(scope, f"pipelines/{name}", _content(before), expected)
        if schema_policy is not None:
            row.schema_policy = schema_policy
        if models is not None or clear_models:
            row.models = models
        if streams is not None and found is not None:
            await _set_streams(scope, row, streams, found)
        await scope.session.flush()
        await scope.touch_config()
        facts = _facts(before), _facts(await get(scope, name))
        await audit.record(
            scope, "pipelines.update", f"pipelines/{name}", before=facts[0], after=facts[1]
        )
    await dbt_models.regenerate(actor, slug)
    return await get_by_name(actor, slug, name)


async def list_pipelines(
    scope: OrgScope, cursor: str | None = None, limit: int | None = None
) -> Page[PipelineOut]:
    """Pipelines by name without their streams: a page, or all without a limit."""
    query = named_pages.window(_with_connection(), Pipeline.name, cursor, limit)
    rows = await scope.session.execute(query)
    found = [_out(row, connection, ()) for row, connection in rows]
    return named_pages.page(found, limit, lambda one: one.name)


async def list_streams(
    scope: OrgScope, name: str, cursor: str | None = None, limit: int | None = None
) -> Page[StreamOut]:
    """A pipeline's streams by name, deselected ones included. Raises NotFoundError."""
    row = await find(scope, name)
    theirs = select(Stream).where(Stream.pipeline_id == row.id)
    query = named_pages.window(theirs, Stream.name, cursor, limit)
    found = [stream_settings.to_out(one) for one in await scope.session.scalars(query)]
    return named_pages.page(found, limit, lambda one: one.name)


async def get_stream(scope: OrgScope, name: str, stream: str) -> StreamOut:
    """One stream of a pipeline, deselected ones included. Raises NotFoundError."""
    row = await _stream(scope, await find(scope, name), stream)
    if row is None:
        raise _no_stream(scope.slug, name, stream)
    return stream_settings.to_out(row)


async def set_stream(
    actor: Actor, slug: str, name: str, stream: str, settings: StreamSettings
) -> StreamOut:
    """Set how one stream loads; it reloads at the next run if mode, key or cursor changed.

    Raises what `update` raises.
    """
    await require(actor, slug, "pipelines.update")
    found = await _rediscover(actor, slug, name)
    if found is None:
        raise ConflictError(f"'{name}' has no connection and loads nothing.", "Name its models.")
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.update")
        pipeline, before = await find(scope, name), await get(scope, name)
        wanted = stream_settings.resolve({stream: settings.model_dump()}, found)
        row = await _stream(scope, pipeline, stream)
        stream_settings.apply(scope.session, pipeline, row, *wanted[stream])
        await _flush(scope, "Its raw table belongs to another pipeline already.")
        await _record_update(scope, before)
        row = await _stream(scope, pipeline, stream)
        assert row is not None
        made = stream_settings.to_out(row)
    await dbt_models.regenerate(actor, slug)
    return made


async def deselect_stream(actor: Actor, slug: str, name: str, stream: str) -> None:
    """Stop loading a stream; its table stays. Idempotent. Raises NotFoundError."""
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.update")
        pipeline, before = await find(scope, name), await get(scope, name)
        row = await _stream(scope, pipeline, stream)
        if row is None:
            raise _no_stream(slug, name, stream)
        row.selected = False
        await scope.session.flush()
        await _record_update(scope, before)
    await dbt_models.regenerate(actor, slug)


async def get(scope: OrgScope, name: str) -> PipelineOut:
    """One pipeline with its streams. Raises NotFoundError."""
    found = (
        await scope.session.execute(_with_connection().where(Pipeline.name == name))
    ).one_or_none()
    if found is None:
        raise _no_pipeline(scope.slug, name)
    row, connection = found
    streams = await scope.session.scalars(
        select(Stream).where(Stream.pipeline_id == row.id).order_by(Stream.name)
    )
    return _out(row, connection, tuple(stream_settings.to_out(stream) for stream in streams))


async def get_by_name(actor: Actor, slug: str, name: str) -> PipelineOut:
    """`get` in a transaction of its own."""
    async with org_scope(actor, slug) as scope:
        return await get(scope, name)


async def set_paused(scope: OrgScope, name: str, *, paused: bool) -> PipelineOut:
    """Pause or resume its schedule; runs can still be started by hand. Idempotent."""
    action = "pipelines.pause" if paused else "pipelines.resume"
    scope.require(action)
    row = await find(scope, name)
    before, row.paused = row.paused, paused
    schedule = await scope.session.scalar(select(Schedule).where(Schedule.pipeline_id == row.id))
    if schedule is not None:
        schedule.paused, schedule.next_fire_at = paused, None  # no catch-up after a pause
    await scope.session.flush()
    await scope.touch_config()
    facts = {"paused": before}, {"paused": paused}
    await audit.record(scope, action, f"pipelines/{name}", before=facts[0], after=facts[1])
    return await get(scope, name)


async def delete(actor: Actor, slug: str, name: str) -> None:
    """Delete the pipeline, its login and schedule; loaded tables and its runs' history stay.

    Raises:
        ConflictError: a run of it is queued or running.
    """
    async with org_scope(actor, slug) as scope:
        scope.require("pipelines.delete")
        row, before = await find(scope, name), await get(scope, name)
        await refuse_open_runs(scope, row)
        await tenants.drop_pipeline_login(scope.session, scope.org_id, row.id)
        schedule = await scope.session.scalar(
            select(Schedule).where(Schedule.pipeline_id == row.id)
        )
        if schedule is not None:
            await scope.session.delete(schedule)
        await scope.session.delete(row)
        await scope.session.flush()
        await scope.touch_config()
        await audit.record(scope, "pipelines.delete", f"pipelines/{name}", before=_facts(before))
    await dbt_models.regenerate(actor, slug)


async def find(scope: OrgScope, name: str, *, lock: bool = False) -> Pipeline:
    """The row, held until the transaction ends when it is to be locked. Raises NotFoundError."""
    query = select(Pipeline).where(Pipeline.name == name)
    row = await scope.session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise _no_pipeline(scope.slug, name)
    return row


async def refuse_open_runs(scope: OrgScope, row: Pipeline) -> None:
    """Raises ConflictError while a run of it is queued or running."""
    going = Run.status.in_(("queued", "running"))
    run_id = await scope.session.scalar(select(Run.id).where(Run.pipeline_id == row.id, going))
    if run_id is not None:
        raise ConflictError(
            f"Run {run_id} of '{row.name}' has not ended.",
            f"Cancel it first: etlfabric runs cancel {scope.slug} {run_id}",
            run=str(run_id),
        )


async def _stream(scope: OrgScope, pipeline: Pipeline, name: str) -> Stream | None:
    query = select(Stream).where(Stream.pipeline_id == pipeline.id, Stream.name == name)
    return await scope.session.scalar(query)


async def _record_update(scope: OrgScope, before: PipelineOut) -> None:
    """Count the change of configuration and write it to the audit log."""
    await scope.touch_config()
    facts = _facts(before), _facts(await get(scope, before.name))
    target = f"pipelines/{before.name}"
    await audit.record(scope, "pipelines.update", target, before=facts[0], after=facts[1])


async def _rediscover(actor: Actor, slug: str, name: str) -> Discovery | None:
    connection = (await get_by_name(actor, slug, name)).connection
    return await connections.discover(actor, slug, connection) if connection else None


async def _set_streams(
    scope: OrgScope, pipeline: Pipeline, streams: Streams, found: Discovery
) -> None:
    wanted = stream_settings.resolve(streams, found)
    known = {
        row.name: row
        for row in await scope.session.scalars(
            select(Stream).where(Stream.pipeline_id == pipeline.id)
        )
    }
    for name, (chosen, discovered) in wanted.items():
        row = known.pop(name, None)
        stream_settings.apply(scope.session, pipeline, row, chosen, discovered)
    for row in known.values():  # no longer named: kept, so that its table is still known
        row.selected = False
    await _flush(scope, "A raw table of this pipeline belongs to another pipeline already.")


async def _flush(scope: OrgScope, conflict: str) -> None:
    try:
        await scope.session.flush()
    except IntegrityError as exc:
        raise ConflictError(conflict, "Choose another name or another table prefix.") from exc


def _with_connection() -> Select[Any]:
    return select(Pipeline, Connection.name).outerjoin(
        Connection, Connection.id == Pipeline.connection_id
    )


def version_of(pipeline: PipelineOut) -> str:
    """Names what people set of it, so that an edit can say what it was made from."""
    return versions.version_of(_content(pipeline))


def _content(pipeline: PipelineOut) -> dict[str, Any]:
    """Pausing it is no edit that another would undo."""
    return {name: fact for name, fact in _facts(pipeline).items() if name != "paused"}


def _facts(pipeline: PipelineOut) -> dict[str, Any]:
    """What the audit log keeps: settings, not what discovery and loads found."""
    streams = {
        stream.name: stream.model_dump(
            mode="json", exclude={"id", "name", "discovered", "tables"}, exclude_defaults=True
        )
        for stream in pipeline.streams
    }
    kept = pipeline.model_dump(mode="json", exclude={"streams", "created_at", "updated_at"})
    return kept | {"streams": streams}


def _no_stream(slug: str, name: str, stream: str) -> NotFoundError:
    return NotFoundError(
        f"Pipeline '{name}' has no stream '{stream[:200]}'.",
        f"See its streams: etlfabric pipelines show {slug} {name}",
    )


def _no_pipeline(slug: str, name: str) -> NotFoundError:
    return NotFoundError(
        f"There is no pipeline '{name}' in '{slug}'.",
        f"List them: etlfabric pipelines list {slug}",
    )


def _out(row: Pipeline, connection: str | None, streams: tuple[StreamOut, ...]) -> PipelineOut:
    return PipelineOut(
        id=row.id,
        name=row.name,
        connection=connection,
        table_prefix=row.table_prefix,
        schema_policy=SchemaPolicy(row.schema_policy),
        models=row.models,
        paused=row.paused,
        streams=streams,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
