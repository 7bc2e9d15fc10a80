"""Snapshots: an org's configuration, read in one database snapshot, and its published
definitions.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.models import (
    CodeLocation,
    CodeLocationJob,
    Connection,
    DbtManifest,
    Membership,
    Org,
    Pipeline,
    Stream,
    User,
)
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.snapshot import (
    PipelineSnapshot,
    PublishedRepository,
    StreamSnapshot,
    TenantSnapshot,
)
from etlfabric_dagster.services.scope import no_org

PUBLISH = "etlfabric.publish_org"
"""The task that publishes an org after a change."""


class PublishState(NamedTuple):
    """An org's configured and published versions."""

    configured: int
    published: int


Encode = Callable[[TenantSnapshot], PublishedRepository]


async def build(org_id: UUID) -> TenantSnapshot:
    """The org's configuration of now, consistent in itself. Raises NotFoundError."""
    async with get_session(org_id=org_id) as session:
        await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        org = await session.get(Org, org_id)
        if org is None:
            raise no_org(str(org_id))
        manifest = await session.scalar(select(DbtManifest))
        return TenantSnapshot(
            org_id=org.id,
            slug=org.slug,
            name=org.name,
            version=org.config_version,
            owners=await _owners(session, org_id),
            pipelines=await _pipelines(session, manifest.selections if manifest else {}),
            manifest=(manifest.manifest or None) if manifest else None,
        )


async def publish(org_id: UUID, encode: Encode) -> int:
    """Build, encode and store; only a greater version replaces. Returns the published version.

    Costs next to nothing when the newest is published: doorbells come twice.
    Raises whatever `encode` raises, after recording it: the last good version stays usable.
    """
    state = await state_of(org_id)
    if state.published >= state.configured:
        return state.published
    snapshot = await build(org_id)
    try:
        repository = encode(snapshot)
    except Exception as exc:
        await record_error(org_id, snapshot.version, f"{type(exc).__name__}: {exc}")
        raise
    async with get_session() as session:
        await _store(session, snapshot, repository)
    return snapshot.version


async def record_error(org_id: UUID, version: int, message: str) -> None:
    """Note why a version could not be published, beside the last good one."""
    statement = insert(CodeLocation).values(
        org_id=org_id, version=0, snapshot=b"", error=f"version {version}: {message}"
    )
    async with get_session() as session:
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["org_id"], set_={"error": statement.excluded.error}
            )
        )


async def load(slug: str) -> TenantSnapshot:
    """The newest published snapshot of an org. Raises NotFoundError when there is none."""
    query = select(CodeLocation.snapshot).join(Org).where(Org.slug == slug)
    async with get_session() as session:
        blob = await session.scalar(query)
    if not blob:
        raise NotFoundError(
            f"Org '{slug}' has no published definitions.",
            "Wait a moment, or publish it: etlfabric orgs show " + slug,
        )
    return TenantSnapshot.model_validate_json(zlib.decompress(blob))


async def state_of(org_id: UUID) -> PublishState:
    """Which version of an org is configured, and which is published (0 = none)."""
    query = (
        select(Org.config_version, func.coalesce(CodeLocation.version, 0))
        .outerjoin(CodeLocation, CodeLocation.org_id == Org.id)
        .where(Org.id == org_id)
    )
    async with get_session() as session:
        row = (await session.execute(query)).one_or_none()
    if row is None:
        raise no_org(str(org_id))
    return PublishState(*row)


async def unpublished() -> list[UUID]:
    """Active orgs whose newest configuration is neither published nor known to be broken."""
    told = func.starts_with(
        func.coalesce(CodeLocation.error, ""), func.concat("version ", Org.config_version, ":")
    )
    query = (
        select(Org.id)
        .outerjoin(CodeLocation, CodeLocation.org_id == Org.id)
        .where(
            Org.status == OrgStatus.ACTIVE,
            Org.config_version > func.coalesce(CodeLocation.version, 0),
            ~told,
        )
    )
    async with get_session() as session:
        return list(await session.scalars(query))


async def versions() -> dict[str, tuple[int, str | None]]:
    """Slug → (published version, error) of all visible orgs: what the webserver polls."""
    query = (
        select(Org.slug, CodeLocation.version, CodeLocation.error)
        .join(CodeLocation)
        .where(Org.status == OrgStatus.ACTIVE)
        .order_by(Org.slug)
    )
    async with get_session() as session:
        return {slug: (version, error) for slug, version, error in await session.execute(query)}


async def repository_blob(slug: str) -> bytes:
    """The serialized repository of an org's newest version. Raises NotFoundError."""
    query = select(CodeLocation.repository).join(Org).where(Org.slug == slug)
    return await _blob(query, f"Org '{slug}' has no published repository.")


async def job_blob(slug: str, job: str) -> bytes:
    """One job of it. Raises NotFoundError."""
    query = (
        select(CodeLocationJob.body)
        .join(CodeLocation)
        .join(Org)
        .where(Org.slug == slug, CodeLocationJob.name == job)
    )
    return await _blob(query, f"Org '{slug}' has no published job '{job}'.")


async def _blob(query: Select[Any], missing: str) -> bytes:
    async with get_session() as session:
        blob = await session.scalar(query)
    if blob is None:
        raise NotFoundError(missing, "Wait for the next publication.")
    return blob


async def _store(
    session: AsyncSession, snapshot: TenantSnapshot, repository: PublishedRepository
) -> None:
    snapshot = snapshot.model_copy(update={"job_ids": repository.job_ids})
    statement = insert(CodeLocation).values(
        org_id=snapshot.org_id,
        version=snapshot.version,
        snapshot=zlib.compress(snapshot.model_dump_json().encode(), 1),
        repository=repository.repository,
        error=None,
    )
    replaced = statement.excluded
    location_id = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["org_id"],
            set_={
                "version": replaced.version,
                "snapshot": replaced.snapshot,
                "repository": replaced.repository,
                "error": None,
                "published_at": text("clock_timestamp()"),
            },
            where=CodeLocation.version < replaced.version,
        ).returning(CodeLocation.id)
    )
    if location_id is None:  # a newer version was published meanwhile
        return
    await session.execute(delete(CodeLocationJob).where(CodeLocationJob.location_id == location_id))
    session.add_all(
        CodeLocationJob(location_id=location_id, name=name, body=body)
        for name, body in repository.jobs.items()
    )


async def _owners(session: AsyncSession, org_id: UUID) -> tuple[str, ...]:
    query = (
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.org_id == org_id, Membership.role == "owner")
        .order_by(User.email)
    )
    return tuple(await session.scalars(query))


async def _pipelines(
    session: AsyncSession, selections: dict[str, list[str]]
) -> tuple[PipelineSnapshot, ...]:
    streams: dict[UUID, list[Stream]] = {}
    for stream in await session.scalars(
        select(Stream).where(Stream.selected).order_by(Stream.table_name)
    ):
        streams.setdefault(stream.pipeline_id, []).append(stream)
    query = (
        select(Pipeline, Connection.name, Connection.connector)
        .outerjoin(Connection, Connection.id == Pipeline.connection_id)
        .order_by(Pipeline.name)
    )
    return tuple(
        PipelineSnapshot(
            id=row.id,
            name=row.name,
            connection=connection,
            connector=connector,
            streams=tuple(_stream(stream) for stream in streams.get(row.id, ())),
            models=tuple(selections.get(row.name, ())),
        )
        for row, connection, connector in await session.execute(query)
    )


def _stream(row: Stream) -> StreamSnapshot:
    return StreamSnapshot.model_validate(
        {
            "name": row.name,
            "table": row.table_name,
            "mode": row.mode,
            "columns": row.discovered,
            "tables": row.tables,
        }
    )
