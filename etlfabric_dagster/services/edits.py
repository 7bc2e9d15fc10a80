"""Before and after an edit of a pipeline: what it would reload, and columns that wait for a
decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from etlfabric_dagster.models import Pipeline, Run, Stream
from etlfabric_dagster.schemas.discovered import EditPlan, PendingColumn, StreamEffect
from etlfabric_dagster.schemas.naming import snake_case
from etlfabric_dagster.schemas.streams import Discovery, StreamSettings
from etlfabric_dagster.services import dbt_graph, dbt_store, pipelines, stream_settings
from etlfabric_dagster.services.discovered import connection_of, settings_of
from etlfabric_dagster.services.scope import OrgScope

FROZEN = "frozen_schema"


async def plan(
    scope: OrgScope, pipeline: str, streams: Mapping[str, Any] | Literal["all"]
) -> EditPlan:
    """What `pipelines.update` with these streams would do. Nothing is changed or dialled.

    Raises InvalidInputError naming the field, as the edit itself would; NotFoundError.
    """
    target = await pipelines.find(scope, pipeline)
    found = await _discovery(scope, target)
    wanted = stream_settings.resolve(streams, found)
    rows = await scope.session.scalars(select(Stream).where(Stream.pipeline_id == target.id))
    known = {row.name: row for row in rows}
    effects = [
        effect
        for name, (settings, stream) in wanted.items()
        if (effect := _effect(known.get(name), name, settings, stream.row_estimate))
    ]
    gone = [name for name, row in known.items() if row.selected and name not in wanted]
    effects += [StreamEffect(name=name, effect="removed") for name in gone]
    loading = [effect for effect in effects if effect.effect in ("added", "reloaded")]
    touched = [known[e.name] for e in effects if e.name in known and e.effect != "changed"]
    return EditPlan(
        streams=tuple(sorted(effects, key=lambda effect: effect.name)),
        unchanged=len(wanted) + len(gone) - len(effects),
        rows=sum(effect.rows or 0 for effect in loading),
        unknown_rows=sum(effect.rows is None for effect in loading),
        models=await _downstream(scope, touched),
    )


async def pending_columns(scope: OrgScope, pipeline: str) -> tuple[PendingColumn, ...]:
    """New columns at which the pipeline's newest run stopped, and nobody has decided about."""
    target = await pipelines.find(scope, pipeline)
    run = await scope.session.scalar(
        select(Run)
        .where(Run.pipeline_id == target.id, Run.finished_at.is_not(None))
        .order_by(Run.created_at.desc())
        .limit(1)
    )
    if run is None or run.finished_at is None:
        return ()
    rows = await scope.session.scalars(select(Stream).where(Stream.pipeline_id == target.id))
    known = {row.name: row for row in rows}
    return tuple(_pending(run.streams, known, run.finished_at))


async def rebuilt_after(scope: OrgScope, pipeline: str, stream: str) -> tuple[str, ...]:
    """dbt models downstream of a stream's tables. Raises NotFoundError."""
    target = await pipelines.find(scope, pipeline)
    rows = select(Stream).where(Stream.pipeline_id == target.id, Stream.name == stream)
    return await _downstream(scope, list(await scope.session.scalars(rows)))


def _effect(
    row: Stream | None, name: str, settings: StreamSettings, rows: int | None
) -> StreamEffect | None:
    """None when nothing changes."""
    if row is None or not row.selected:
        if not settings.selected:
            return None
        full = row is None or not row.tables
        return StreamEffect(name=name, effect="added", rows=rows if full else None)
    if not settings.selected:
        return StreamEffect(name=name, effect="removed")
    old, new = settings_of(row).model_dump(mode="json"), settings.model_dump(mode="json")
    fields = tuple(field for field in new if new[field] != old[field])
    if not fields:
        return None
    if stream_settings.RELOADING.intersection(fields):
        return StreamEffect(name=name, effect="reloaded", fields=fields, rows=rows)
    return StreamEffect(name=name, effect="changed", fields=fields)


async def _discovery(scope: OrgScope, pipeline: Pipeline) -> Discovery:
    connection = await connection_of(scope, pipeline)
    return Discovery.model_validate(connection.discovery or {"streams": []})


async def _downstream(scope: OrgScope, rows: Sequence[Stream]) -> tuple[str, ...]:
    manifest = await dbt_store.manifest_of(scope)
    if manifest is None or not rows:
        return ()
    tables = {row.table_name for row in rows} | {t["table"] for row in rows for t in row.tables}
    unique_ids = dbt_graph.downstream(manifest.manifest, tables)
    return tuple(name.rpartition(".")[2] for name in unique_ids if name.startswith("model."))


def _pending(
    results: Mapping[str, Any], known: Mapping[str, Stream], at: datetime
) -> list[PendingColumn]:
    found = []
    for name, result in results.items():
        error = result.get("error") or {}
        row = known.get(name)
        if error.get("code") != FROZEN or row is None:
            continue
        column = error["where"]["column"]
        dropped = {snake_case(n) for n, p in row.columns.items() if p["policy"] == "drop"}
        if column not in row.accepted_columns and column not in dropped:
            found.append(
                PendingColumn(
                    stream=name, column=column, type=error["where"].get("type"), found_at=at
                )
            )
    return found
