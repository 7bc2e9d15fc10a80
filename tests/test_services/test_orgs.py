"""Orgs: provisioning, suspending, erasing, seen from Postgres itself."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.services import orgs, tenants
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope


async def connect(warehouse: Warehouse) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse.username,
        password=warehouse.password,
        database=warehouse.database,
    )


async def relations_of(org_id) -> int:
    async with get_session() as session:
        return await session.scalar(
            text("SELECT count(*) FROM pg_namespace WHERE nspname LIKE :p"),
            {"p": f"tenant\\_{org_id.hex}%"},
        )


async def test_created_org_is_active_with_five_schemas(org):
    assert org.status is OrgStatus.ACTIVE
    assert await relations_of(org.id) == 5


async def test_creating_the_same_slug_twice_is_refused(org):
    with pytest.raises(ConflictError, match="taken"):
        await orgs.create(OPERATOR, org.slug, "Again")


@pytest.mark.parametrize("slug", ["", "A", "a", "1a", "a-b", "a" * 41, "a b", 'a"; drop', "ä_b"])
async def test_hostile_slug_is_refused(migrated, slug):
    with pytest.raises(InvalidInputError):
        await orgs.create(OPERATOR, slug, "x")


async def test_interrupted_provisioning_is_finished_by_the_same_call(migrated, make_slug):
    slug = make_slug()
    async with get_session() as session:
        await orgs._claim_slug(session, slug, "Half")
    assert (await orgs.create(OPERATOR, slug, "Half")).status is OrgStatus.ACTIVE


async def test_objects_of_a_pipeline_login_belong_to_the_owner(warehouse):
    conn = await connect(warehouse)
    await conn.execute(f"CREATE TABLE {warehouse.raw}.t (i int)")
    owner = await conn.fetchval(
        "SELECT tableowner FROM pg_tables WHERE schemaname = $1 AND tablename = 't'", warehouse.raw
    )
    await conn.close()
    assert owner == warehouse.owner_role


async def test_reader_sees_what_the_pipeline_made_and_cannot_write(warehouse, reader):
    conn = await connect(warehouse)
    await conn.execute(f"CREATE TABLE {warehouse.marts}.m AS SELECT 7 AS i")
    await conn.close()
    conn = await connect(reader)
    assert await conn.fetchval("SELECT i FROM m") == 7
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await conn.execute(f"INSERT INTO {reader.marts}.m VALUES (1)")
    await conn.execute("SET default_transaction_read_only = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(f"INSERT INTO {reader.marts}.m VALUES (1)")
    await conn.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.orgs",
        "SELECT * FROM {config}.connections",
        "CREATE SCHEMA mine",
        "CREATE ROLE evil",
        "DROP SCHEMA {raw}",
        "GRANT USAGE ON SCHEMA {raw} TO PUBLIC",
        "SELECT pg_advisory_lock(1)",
        "SELECT lo_create(0)",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE etlfabric",
    ],
)
async def test_pipeline_login_may_not_leave_its_schemas(warehouse, statement):
    conn = await connect(warehouse)
    statement = statement.format(config=warehouse.schema_prefix, raw=warehouse.raw)
    try:
        if statement.startswith("GRANT"):  # Postgres only warns when nothing could be granted
            await conn.execute(statement)
            grants = await conn.fetchval(
                "SELECT nspacl::text FROM pg_namespace WHERE nspname = $1", warehouse.raw
            )
            assert ",=U" not in grants
        else:
            with pytest.raises(asyncpg.PostgresError):
                await conn.execute(statement)
    finally:
        await conn.close()


async def test_rotated_login_refuses_the_old_password_and_ends_its_backends(org):
    pipeline_id = uuid4()
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
        old = await tenants.rotate_pipeline_login(session, org.id, pipeline_id)
    login = tenants.pipeline_login(org.id, pipeline_id)
    before = await connect(tenants.warehouse(org.id, login, old))
    async with get_session() as session:
        await tenants.rotate_pipeline_login(session, org.id, pipeline_id)
    async with get_session() as session:
        await tenants.end_pipeline_backends(session, org.id, pipeline_id)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await before.execute("SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(tenants.warehouse(org.id, login, old))


async def test_suspended_org_has_no_open_login(org, warehouse):
    await orgs.suspend(OPERATOR, org.slug)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connect(warehouse)
    await orgs.resume(OPERATOR, org.slug)
    await (await connect(warehouse)).close()


async def test_foreign_org_reads_like_a_missing_one(org):
    stranger = Actor("stranger@example.com", user_id=org.id)
    with pytest.raises(NotFoundError) as foreign:
        await orgs.get(stranger, org.slug)
    with pytest.raises(NotFoundError) as missing:
        await orgs.get(stranger, "no_such_org")
    assert foreign.value.message.replace(org.slug, "X") == missing.value.message.replace(
        "no_such_org", "X"
    )


async def test_bi_password_is_shown_only_when_rolled(scope):
    assert (await orgs.bi_credentials(scope)).password is None
    rolled = await orgs.bi_credentials(scope, roll=True)
    assert rolled.password
    assert rolled.password in rolled.url


async def test_org_tells_times_in_its_zone(org):
    async with org_scope(OPERATOR, org.slug) as scope:
        assert scope.timezone == "UTC"
        await orgs.edit(scope, timezone="Europe/Berlin")
        with pytest.raises(InvalidInputError):
            await orgs.edit(scope, timezone="Europe/Atlantis")
    async with org_scope(OPERATOR, org.slug) as scope:
        assert scope.timezone == "Europe/Berlin"
    assert (await orgs.get(OPERATOR, org.slug)).name == org.name
