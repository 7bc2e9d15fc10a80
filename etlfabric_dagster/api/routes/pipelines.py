"""Pipelines, their streams, and what their sources changed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import JsonValue

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.pipelines import PipelineOut, StreamOut
from etlfabric_dagster.schemas.streams import (
    ColumnDecision,
    SchemaChangeOut,
    SchemaPolicy,
    StreamSettings,
)
from etlfabric_dagster.services import pipelines, renaming, schema_changes
from etlfabric_dagster.services.scope import Actor, org_scope

router = org_router("pipelines")

Streams = dict[str, JsonValue] | Literal["all"]


class PipelineIn(Value):
    """A new pipeline; without a connection it only transforms and needs a dbt selector."""

    name: str
    connection: str | None = None
    streams: Streams = "all"
    table_prefix: str | None = None
    schema_policy: SchemaPolicy = SchemaPolicy.EVOLVE
    models: str | None = None


class PipelineEdit(Value):
    """What to change. `models` given as null builds what is downstream of the streams again."""

    name: str | None = None
    """Another name: history and schedule go with it, tables keep theirs."""
    streams: Streams | None = None
    schema_policy: SchemaPolicy | None = None
    models: str | None = None


class ColumnChoice(Value):
    """What to do with the column from the next run on."""

    decision: ColumnDecision


@router.get("")
async def list_pipelines(scope: Scoped, page: PageQuery) -> Page[PipelineOut]:
    """Pipelines by name, without their streams."""
    return await pipelines.list_pipelines(scope, page.cursor, page.limit)


@router.post("", status_code=201)
async def create_pipeline(actor: CurrentActor, slug: Slug, given: PipelineIn) -> PipelineOut:
    """Create a pipeline; its connection is asked for its streams first."""
    return await pipelines.create(actor, slug, **_fields(given))


@router.get("/{name}")
async def get_pipeline(scope: Scoped, name: str) -> PipelineOut:
    """One pipeline with its streams."""
    return await pipelines.get(scope, name)


@router.patch("/{name}")
async def update_pipeline(
    actor: CurrentActor, slug: Slug, name: str, given: PipelineEdit
) -> PipelineOut:
    """Change what is given; streams that are no longer named stop loading, their tables stay."""
    clear = "models" in given.model_fields_set and given.models is None
    fields = _fields(given)
    new = fields.pop("name")
    if new not in (None, name):
        renamed = await _rename(actor, slug, name, new)
        if given.model_fields_set == {"name"}:
            return renamed
        name = renamed.name
    return await pipelines.update(actor, slug, name, clear_models=clear, **fields)


@router.delete("/{name}", status_code=204)
async def delete_pipeline(actor: CurrentActor, slug: Slug, name: str) -> None:
    """Delete it and its schedule; loaded tables and the history of its runs stay."""
    await pipelines.delete(actor, slug, name)


@router.post("/{name}/pause")
async def pause_pipeline(scope: Scoped, name: str) -> PipelineOut:
    """Stop its schedule; runs can still be started by hand."""
    return await pipelines.set_paused(scope, name, paused=True)


@router.post("/{name}/resume")
async def resume_pipeline(scope: Scoped, name: str) -> PipelineOut:
    """Let its schedule go on, without catching up."""
    return await pipelines.set_paused(scope, name, paused=False)


@router.get("/{name}/streams")
async def list_streams(scope: Scoped, name: str, page: PageQuery) -> Page[StreamOut]:
    """Its streams by name, deselected ones included."""
    return await pipelines.list_streams(scope, name, page.cursor, page.limit)


@router.get("/{name}/streams/{stream}")
async def get_stream(scope: Scoped, name: str, stream: str) -> StreamOut:
    """One stream and how it loads."""
    return await pipelines.get_stream(scope, name, stream)


@router.put("/{name}/streams/{stream}")
async def set_stream(
    actor: CurrentActor, slug: Slug, name: str, stream: str, given: StreamSettings
) -> StreamOut:
    """Set how one stream loads; the others stay as they are."""
    return await pipelines.set_stream(actor, slug, name, stream, given)


@router.delete("/{name}/streams/{stream}", status_code=204)
async def deselect_stream(actor: CurrentActor, slug: Slug, name: str, stream: str) -> None:
    """Stop loading a stream; its table stays."""
    await pipelines.deselect_stream(actor, slug, name, stream)


@router.get("/{name}/schema-changes")
async def list_schema_changes(scope: Scoped, name: str, page: PageQuery) -> Page[SchemaChangeOut]:
    """What its loads found changed in their sources, newest first."""
    return await schema_changes.list_changes(scope, name, cursor=page.cursor, limit=page.limit)


@router.put("/{name}/streams/{stream}/columns/{column}")
async def decide_column(
    scope: Scoped, name: str, stream: str, column: str, given: ColumnChoice
) -> StreamOut:
    """Accept or ignore a new column that the frozen pipeline refused."""
    return await schema_changes.decide(scope, name, stream, column, given.decision)


async def _rename(actor: Actor, slug: str, name: str, new: str) -> PipelineOut:
    async with org_scope(actor, slug) as scope:
        return await renaming.rename_pipeline(scope, name, new)


def _fields(given: Value) -> dict[str, Any]:
    return {name: getattr(given, name) for name in type(given).model_fields}
