"""Migrations: the same tables as the metadata, resumable, never older code on a newer database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from etlfabric_dagster.errors import MigrationError
from etlfabric_dagster.models import Base, tenant_metadata
from etlfabric_dagster.services import migrations

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(migrated):
    engine = create_engine(migrated.database.set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def test_migrated_public_equals_metadata(engine):
    with engine.connect() as conn:
        context = MigrationContext.configure(
            conn, opts={"include_name": lambda name, *_: name != "alembic_version"}
        )
        assert compare_metadata(context, Base.metadata) == []


async def test_created_tenant_equals_migrated_tenant(org, engine):
    catalog = text(
        "SELECT table_name, column_name, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = :s ORDER BY 1, 2"
    )
    indexes = text(
        "SELECT tablename, regexp_replace(indexdef, 'tenant_[0-9a-f]{32}', 't', 'g')"
        " FROM pg_indexes WHERE schemaname = :s ORDER BY 1, 2"
    )
    other = uuid4()
    schema = f"tenant_{other.hex}"
    with engine.begin() as conn:
        conn.execute(text(f"CREATE SCHEMA {schema}"))
    migrations._upgrade(engine, "tenant", other)
    with engine.begin() as conn:
        for query in (catalog, indexes):
            made = conn.execute(query, {"s": f"tenant_{org.id.hex}"}).all()
            migrated = conn.execute(query, {"s": schema}).all()
            assert made == migrated
        conn.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    assert len(tenant_metadata.tables) >= 8


async def test_tenant_that_is_behind_is_migrated_once(org, engine):
    with engine.begin() as conn:
        conn.execute(text("UPDATE orgs SET tenant_revision = NULL WHERE id = :i"), {"i": org.id})
    assert migrations.upgrade_all() == 1
    assert migrations.upgrade_all() == 0


def test_database_newer_than_the_code_is_refused(engine):
    with engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'public_9999'"))
    try:
        with pytest.raises(MigrationError, match="newer"):
            migrations.upgrade_all()
    finally:
        with engine.begin() as conn:
            head = {"head": migrations.head("public")}
            conn.execute(text("UPDATE alembic_version SET version_num = :head"), head)


@pytest.mark.parametrize("section", ["alembic", "tenant"])
def test_alembic_finds_nothing_to_add(org, section):
    command = [sys.executable, "-m", "alembic", "-n", section, "check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No new upgrade operations" in done.stdout, done.stderr
    assert done.returncode == 0


def test_public_goes_down_to_nothing_and_up_again(migrated, cluster):
    url = migrated.database.set(drivername="postgresql+psycopg")
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE downhill OWNER etlfabric")
    downhill = create_engine(url.set(database="downhill"))
    try:
        migrations._upgrade(downhill, "public", None)
        with downhill.begin() as conn:
            scripts = migrations._scripts("public")
            down = {
                "fn": lambda revision, _context: scripts._downgrade_revs("base", revision),
                "script": scripts,
            }
            context = MigrationContext.configure(conn, opts=down)
            with Operations.context(context):
                context.run_migrations()
            left = conn.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).scalars()
            assert set(left) == {"alembic_version"}
        migrations._upgrade(downhill, "public", None)
    finally:
        downhill.dispose()
