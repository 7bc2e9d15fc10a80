"""What an attempt needs from the platform: jobs for the sandbox, and what a load leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import FabricError, LeaseLostError
from etlfabric_dagster.models import (
    Connection,
    DbtManifest,
    LoadedTable,
    Org,
    Pipeline,
    PipelineState,
    Run,
    SchemaChangeRow,
    Stream,
)
from etlfabric_dagster.schemas.jobs import ExtractJob, Limits, TransformJob, Warehouse
from etlfabric_dagster.schemas.runs import ClaimedRun, StreamResult
from etlfabric_dagster.schemas.streams import SchemaPolicy
from etlfabric_dagster.services import connections, dbt_models, stream_settings, tenants
from etlfabric_dagster.services.scope import SYSTEM, OrgScope, org_scope_by_id
from etlfabric_dagster.services.upserts import put
from etlfabric_dagster.services.vault import vault


async def fence(claimed: ClaimedRun) -> Warehouse:
    """Take the pipeline's login for this attempt: nobody else can write as it any more.

    Raises LeaseLostError: a worker that thaws must not take the login from a newer attempt.
    """
    async with get_session() as session:
        await _hold_lease(session, claimed)
        password = await tenants.rotate_pipeline_login(session, claimed.org_id, claimed.pipeline_id)
    async with get_session() as session:
        await _hold_lease(session, claimed)
        await tenants.end_pipeline_backends(session, claimed.org_id, claimed.pipeline_id)
    login = tenants.pipeline_login(claimed.org_id, claimed.pipeline_id)
    return tenants.warehouse(claimed.org_id, login, password)


async def prepare_extract(
    claimed: ClaimedRun, warehouse: Warehouse, stream_names: Sequence[str]
) -> ExtractJob:
    """The load of these streams. Credentials are opened here and go only to the sandbox."""
    async with org_scope_by_id(SYSTEM, claimed.org_id) as scope:
        pipeline = await scope.session.get_one(Pipeline, claimed.pipeline_id)
        connection = await scope.session.get_one(Connection, pipeline.connection_id)
        rows = await scope.session.scalars(
            select(Stream)
            .where(Stream.pipeline_id == pipeline.id, Stream.name.in_(stream_names))
            .order_by(Stream.name)
        )
        streams = list(rows)
        org = await scope.session.get_one(Org, claimed.org_id)
        full = set(claimed.selection.full_refresh)
        return ExtractJob(
            pipeline=f"p_{pipeline.id.hex}",
            source=await connections.source_config(scope, connection),
            warehouse=warehouse,
            streams=tuple(stream_settings.plan(row, row.name in full) for row in streams),
            schema_policy=SchemaPolicy(pipeline.schema_policy),
            accepted_columns={row.name: tuple(row.accepted_columns) for row in streams},
            state=await _cached_state(scope, claimed),
            hash_key=vault().open(org.id, org.id, org.sealed)["hash_key"],
            limits=_limits(),
        )


async def prepare_transform(
    claimed: ClaimedRun, warehouse: Warehouse, unique_ids: Sequence[str]
) -> TransformJob:
    """The dbt build of these nodes with the last good manifest."""
    async with org_scope_by_id(SYSTEM, claimed.org_id) as scope:
        project, packed = await dbt_models.build_input(scope)
        return TransformJob(
            project=project,
            packed=packed,
            warehouse=warehouse,
            select=tuple(unique_ids),
            limits=_limits(),
        )


async def is_built(claimed: ClaimedRun) -> bool:
    """Whether the pipeline's dbt nodes have seen all that is loaded, with the project of now."""
    query = (
        select(PipelineState.id)
        .join(DbtManifest, DbtManifest.files_digest == PipelineState.built_digest)
        .where(PipelineState.pipeline_id == claimed.pipeline_id)
    )
    async with get_session(org_id=claimed.org_id) as session:
        return await session.scalar(query) is not None


async def mark_built(claimed: ClaimedRun) -> None:
    """Note that a whole build succeeded. Dropped when the attempt lost its lease."""
    async with get_session(org_id=claimed.org_id) as session:
        if await session.scalar(_lease(claimed)) is not None:
            digest = select(DbtManifest.files_digest).scalar_subquery()
            await session.execute(
                update(PipelineState)
                .where(PipelineState.pipeline_id == claimed.pipeline_id)
                .values(built_digest=digest)
            )


async def forget_state(claimed: ClaimedRun) -> None:
    """After a failed attempt the next one restores dlt's state from the destination."""
    async with get_session(org_id=claimed.org_id) as session:
        await session.execute(
            delete(PipelineState).where(PipelineState.pipeline_id == claimed.pipeline_id)
        )


async def after_load(
    claimed: ClaimedRun, results: Mapping[str, StreamResult], state: str | None = None
) -> tuple[str, ...]:
    """Record tables and schema changes; when they changed, regenerate and parse staging.

    Args:
        state: dlt's, to be cached for the next run; dropped when the attempt lost its lease.

    Returns the unique ids of all dbt nodes this pipeline builds now.
    """
    async with org_scope_by_id(SYSTEM, claimed.org_id) as scope:
        if state is not None:
            await _keep_state(scope.session, claimed, state, loaded=not all_unchanged(results))
        changed = False
        rows = await scope.session.scalars(
            select(Stream).where(
                Stream.pipeline_id == claimed.pipeline_id, Stream.name.in_(results)
            )
        )
        for row in rows:
            changed |= await _record(scope, claimed, row, results[row.name])
        if not changed:
            return await dbt_models.nodes_of(scope, claimed.pipeline_name)
        await scope.touch_config()
    await dbt_models.regenerate_here(claimed.org_id)
    async with org_scope_by_id(SYSTEM, claimed.org_id) as scope:
        return await dbt_models.nodes_of(scope, claimed.pipeline_name)


async def _keep_state(
    session: AsyncSession, claimed: ClaimedRun, state: str, *, loaded: bool
) -> None:
    """`loaded`: whether anything reached the raw schema; dbt then has to build again."""
    if await session.scalar(_lease(claimed)) is None:
        return
    values: dict[str, Any] = {"run_id": claimed.run_id, "state": state}
    values |= {"built_digest": None} if loaded else {}
    await put(session, PipelineState, {"pipeline_id": claimed.pipeline_id}, values, values)


def all_unchanged(results: Mapping[str, StreamResult]) -> bool:
    """Whether there was nothing new in any of the streams."""
    return bool(results) and all(one.status == "unchanged" for one in results.values())


async def _record(scope: OrgScope, claimed: ClaimedRun, row: Stream, result: StreamResult) -> bool:
    if result.status == "succeeded":
        row.needs_full_refresh = False
    scope.session.add_all(
        SchemaChangeRow(
            pipeline_id=claimed.pipeline_id,
            run_id=claimed.run_id,
            stream=row.name,
            table_name=change.table,
            column_name=change.column,
            change=change.change,
            old_type=change.old_type,
            new_type=change.new_type,
            decision=change.decision,
            found_at=clock.now(),
        )
        for change in result.schema_changes
    )
    tables = [table.model_dump(mode="json") for table in result.tables]
    if not tables or tables == row.tables:
        return False
    row.tables = tables
    await _own_tables(scope, row, [table.table for table in result.tables])
    return True


async def _own_tables(scope: OrgScope, row: Stream, names: list[str]) -> None:
    """Claim the raw tables, child tables included. Raises FabricError when another stream has
    one.
    """
    for name in names:
        owner = await scope.session.scalar(
            insert(LoadedTable)
            .values(table_name=name, stream_id=row.id)
            .on_conflict_do_update(index_elements=["table_name"], set_={"table_name": name})
            .returning(LoadedTable.stream_id)
        )
        if owner != row.id:
            raise FabricError(
                f"Raw table {name} of stream '{row.name}' belongs to another stream.",
                "Give one of the pipelines another table prefix.",
                code="table_taken",
            )


async def _cached_state(scope: OrgScope, claimed: ClaimedRun) -> str | None:
    """dlt's state, only when the pipeline's last ended attempt succeeded."""
    if claimed.number > 1:
        return None
    last = await scope.session.scalar(
        select(Run.status)
        .where(Run.pipeline_id == claimed.pipeline_id, Run.finished_at.is_not(None))
        .order_by(Run.finished_at.desc())
        .limit(1)
    )
    if last != "succeeded":
        return None
    return await scope.session.scalar(
        select(PipelineState.state).where(PipelineState.pipeline_id == claimed.pipeline_id)
    )


def _lease(claimed: ClaimedRun) -> Select[tuple[UUID]]:
    return select(Run.id).where(Run.id == claimed.run_id, Run.token == claimed.token)


async def _hold_lease(session: AsyncSession, claimed: ClaimedRun) -> None:
    """Until the transaction ends nobody can declare the attempt lost; heartbeats go on."""
    if await session.scalar(_lease(claimed).with_for_update(read=True, key_share=True)) is None:
        raise LeaseLostError(
            f"Attempt {claimed.number} of run {claimed.run_id} lost its lease.",
            "Nothing to do: a newer attempt or a verdict took the run.",
        )


def _limits() -> Limits:
    return Limits(
        wall_s=settings.run_timeout_s,
        memory_mib=settings.sandbox_memory_mib,
        cpu_s=int(settings.run_timeout_s),
    )
