"""Schema migrations of `public` and of every tenant: resumable, newest code only.

Each tenant's revision is mirrored in `orgs.tenant_revision`, so that what is behind is one query.
A new tenant is
created from the metadata and stamped; a test proves that equal to running the migrations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import cast
from uuid import UUID

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import BLANK_SCHEMA, Connection, Engine, MetaData, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import tenant_schema
from etlfabric_dagster.errors import MigrationError
from etlfabric_dagster.models.base import TENANT_SCHEMA

LOCK_TIMEOUT = "10s"
PUBLIC_LOCK = 7_310_011  # advisory lock key: one migrator at a time

Progress = Callable[[int, int], None]


def branch_folder(branch: str) -> Path:
    """Where a branch's revisions are."""
    return Path(__file__).parents[1] / "migrations" / branch


@cache
def head(branch: str) -> str:
    """The newest revision of `public` or `tenant` that this code knows."""
    return _scripts(branch).get_current_head() or ""


def upgrade_all(progress: Progress | None = None) -> int:
    """Migrate `public`, then every tenant that is behind; returns how many tenants were migrated.

    Blocking. Resumable: each tenant is one transaction. Raises MigrationError when the database is
    newer than the code.
    """
    engine = create_engine(settings.database.set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection, _one_migrator(connection):
            _upgrade(engine, "public", None)
            behind = _tenants_behind(connection)
            for done, org_id in enumerate(behind, start=1):
                _upgrade(engine, "tenant", org_id)
                if progress:
                    progress(done, len(behind))
            return len(behind)
    finally:
        engine.dispose()


async def stamp_tenant(session: AsyncSession, org_id: UUID) -> str:
    """Record that the tenant's tables, just created from metadata, are at head. Idempotent."""
    schema, revision = tenant_schema(org_id), head("tenant")
    statements = (
        f'CREATE TABLE IF NOT EXISTS "{schema}".alembic_version'
        " (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)",
        f'DELETE FROM "{schema}".alembic_version',
        f"INSERT INTO \"{schema}\".alembic_version VALUES ('{revision}')",
    )
    for statement in statements:
        await session.execute(text(statement))
    return revision


def unqualified(metadata: MetaData) -> MetaData:
    """A copy of tenant metadata without its placeholder schema, for comparison in a search_path."""
    copy = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        no_schema = cast(str, None)  # typed as str, documented as optional
        table.to_metadata(copy, schema=no_schema, referred_schema_fn=_blank)
    return copy


def _blank(*_: object) -> str:
    return cast(str, BLANK_SCHEMA)


def _upgrade(engine: Engine, branch: str, org_id: UUID | None) -> None:
    scripts = _scripts(branch)
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        schema = tenant_schema(org_id) if org_id else "public"
        if org_id:
            connection.execute(text(f'SET LOCAL search_path = "{schema}"'))
            connection = connection.execution_options(schema_translate_map={TENANT_SCHEMA: schema})
        _run(connection, scripts, schema)
        if org_id:
            connection.execute(
                text("UPDATE public.orgs SET tenant_revision = :revision WHERE id = :id"),
                {"revision": head("tenant"), "id": org_id},
            )


def _run(connection: Connection, scripts: ScriptDirectory, schema: str) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda revision, _context: scripts._upgrade_revs("head", revision),
            "version_table_schema": schema,
            "script": scripts,
        },
    )
    try:
        with Operations.context(context):
            context.run_migrations()
    except CommandError as exc:
        raise MigrationError(
            f"The database (schema {schema}) is newer than this version of ETL Fabric.",
            "Install the newer version again, or restore the backup made before it.",
            code="database_newer",
        ) from exc


def _tenants_behind(connection: Connection) -> list[UUID]:
    rows = connection.execute(
        text(
            "SELECT id FROM public.orgs WHERE status <> 'erasing'"
            " AND status <> 'provisioning' AND tenant_revision IS DISTINCT FROM :head ORDER BY slug"
        ),
        {"head": head("tenant")},
    )
    found = list(rows.scalars())
    connection.commit()
    return found


def _scripts(branch: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(branch_folder(branch).parent))
    config.set_main_option("version_locations", str(branch_folder(branch)))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


@contextmanager
def _one_migrator(connection: Connection) -> Iterator[None]:
    connection.execute(text(f"SELECT pg_advisory_lock({PUBLIC_LOCK})"))
    connection.commit()
    try:
        yield
    finally:
        connection.execute(text(f"SELECT pg_advisory_unlock({PUBLIC_LOCK})"))
        connection.commit()
