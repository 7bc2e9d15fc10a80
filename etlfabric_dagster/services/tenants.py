"""The data plane of an org: schemas, roles and grants.

Names hold only uuids, so catalogs tell other tenants nothing. The platform owns the schemas (it
can drop
them without ever becoming a tenant, and a tenant cannot share or drop them); the tenant's NOLOGIN
owner
owns the objects inside. The platform never opens a tenant's object: it connects as the tenant's
login.
"""

from __future__ import annotations

import re
from functools import cache
from typing import cast
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateIndex, CreateTable

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session, tenant_schema
from etlfabric_dagster.models import Org
from etlfabric_dagster.models.base import TENANT_SCHEMA, tenant_metadata
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.security import scram
from etlfabric_dagster.services.vault import vault

DATA_SCHEMAS = ("raw", "raw_staging", "staging", "marts")
READABLE_SCHEMAS = ("marts", "staging", "raw")
LOGIN_CONNECTIONS = 20
READ_CONNECTIONS = 10
IDLE_IN_TRANSACTION = "10min"
GRANTS_LOCK = 7_310_012  # advisory lock key
LOGINS, PROVISIONING = 0, 1  # of one org: what makes another advisory lock of it


def owner_role(org_id: UUID) -> str:
    """NOLOGIN owner of everything in the org's data schemas."""
    return f"tenant_{org_id.hex}_owner"


def readonly_login(org_id: UUID) -> str:
    """Login of previews and queries."""
    return f"tenant_{org_id.hex}_ro"


def bi_login(org_id: UUID) -> str:
    """Stable login of BI tools."""
    return f"tenant_{org_id.hex}_bi"


def pipeline_login(org_id: UUID, pipeline_id: UUID) -> str:
    """Login of one pipeline's attempts; at most 63 bytes."""
    return f"tenant_{org_id.hex}_p_{pipeline_id.hex[:16]}"


async def provision(session: AsyncSession, org_id: UUID, readonly_password: str) -> None:
    """Create schemas, roles, grants and configuration tables. Idempotent, in the session's
    commit.
    """
    schema, owner = tenant_schema(org_id), owner_role(org_id)
    version = await _server_version(session)
    await _one_at_a_time(session, org_id, PROVISIONING)
    await _script(
        session,
        _create_role(owner, "NOLOGIN"),
        f'CREATE SCHEMA IF NOT EXISTS "{schema}"',
        *(f'CREATE SCHEMA IF NOT EXISTS "{schema}_{s}"' for s in DATA_SCHEMAS),
        *(f'GRANT USAGE, CREATE ON SCHEMA "{schema}_{s}" TO "{owner}"' for s in DATA_SCHEMAS),
        *_reader(org_id, readonly_login(org_id), readonly_password),
        *_reader(org_id, bi_login(org_id), None),
        *_default_privileges(org_id, version),
        *_tenant_tables(schema),
    )
    await _let_connect(session, readonly_login(org_id), bi_login(org_id))


async def add_pipeline_login(session: AsyncSession, org_id: UUID, pipeline_id: UUID) -> None:
    """Create the pipeline's login, which becomes the owner on connect. Idempotent."""
    login, owner = pipeline_login(org_id, pipeline_id), owner_role(org_id)
    options = " WITH INHERIT TRUE, SET TRUE" if await _server_version(session) >= 160000 else ""
    await _script(
        session,
        _create_role(login, f"LOGIN CONNECTION LIMIT {LOGIN_CONNECTIONS}"),
        f'GRANT "{owner}" TO "{login}"{options}',
        *_login_settings(login, owner),
    )
    await _let_connect(session, login)


async def drop_pipeline_login(session: AsyncSession, org_id: UUID, pipeline_id: UUID) -> None:
    """Drop it and end its backends. Idempotent."""
    await _drop_roles(session, [pipeline_login(org_id, pipeline_id)])


async def rotate_pipeline_login(session: AsyncSession, org_id: UUID, pipeline_id: UUID) -> str:
    """Take the pipeline's login from whoever had it; returns its fresh password.

    Resets settings and password. Once this is committed, `end_pipeline_backends` makes the fence
    complete: nobody who connected before can write, and nobody can connect with an old password.
    """
    await _one_at_a_time(session, org_id)
    login, password = pipeline_login(org_id, pipeline_id), scram.new_password()
    verifier = scram.verifier(password, scram.RANDOM_ITERATIONS)
    await _script(
        session,
        f'ALTER ROLE "{login}" RESET ALL',
        *_login_settings(login, owner_role(org_id)),
        f"ALTER ROLE \"{login}\" PASSWORD '{verifier}'",
    )
    return password


async def end_pipeline_backends(session: AsyncSession, org_id: UUID, pipeline_id: UUID) -> None:
    """End whoever is still connected as the pipeline. Waits until they are gone (5 s at most)."""
    await _end_backends(session, [pipeline_login(org_id, pipeline_id)])


async def roll_bi_password(session: AsyncSession, org_id: UUID) -> str:
    """A new password for the BI login; tools with the old one are cut off at once."""
    await _one_at_a_time(session, org_id)
    login, password = bi_login(org_id), scram.new_password()
    await _script(session, f"ALTER ROLE \"{login}\" LOGIN PASSWORD '{scram.verifier(password)}'")
    await _end_backends(session, [login])
    return password


async def set_logins(session: AsyncSession, org_id: UUID, *, enabled: bool) -> None:
    """Open or close all logins of the org; closing ends their backends."""
    await _one_at_a_time(session, org_id)
    logins = await _logins(session, org_id)
    verb = "LOGIN" if enabled else "NOLOGIN"
    await _script(session, *(f'ALTER ROLE "{login}" {verb}' for login in logins))
    if not enabled:
        await _end_backends(session, logins)


async def drop(session: AsyncSession, org_id: UUID) -> tuple[int, int, int]:
    """Remove everything; returns (schemas, tables, roles) that were there. Idempotent."""
    await _one_at_a_time(session, org_id)
    logins = await _logins(session, org_id)
    await _end_backends(session, logins)
    schema = tenant_schema(org_id)
    names = [schema, *(f"{schema}_{s}" for s in DATA_SCHEMAS)]
    counted = await session.execute(
        text(
            "SELECT count(DISTINCT n.oid), count(c.oid) FROM pg_namespace n LEFT JOIN pg_class c"
            " ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm')"
            " WHERE n.nspname = ANY(:names)"
        ),
        {"names": names},
    )
    schemas, tables = counted.one()
    await _script(session, *(f'DROP SCHEMA IF EXISTS "{name}" CASCADE' for name in names))
    roles = await _drop_roles(session, [*logins, owner_role(org_id)])
    return schemas, tables, roles


def warehouse(org_id: UUID, username: str, password: str) -> Warehouse:
    """How a sandbox child reaches the tenant's data."""
    url, socket = settings.database, settings.database_socket_directory
    return Warehouse(
        host=url.host or "127.0.0.1",
        port=url.port or 5432,
        database=url.database or "",
        username=username,
        password=password,
        owner_role=owner_role(org_id),
        schema_prefix=tenant_schema(org_id),
        socket_directory=str(socket) if socket else None,
    )


async def reader_warehouse(org_id: UUID) -> Warehouse:
    """The same as the read-only login, for previews and queries."""
    async with get_session() as session:
        org = await session.get_one(Org, org_id)
        password = vault().open(org_id, org_id, org.sealed)["readonly_password"]
    return warehouse(org_id, readonly_login(org_id), password)


def _create_role(name: str, options: str) -> str:
    return (
        f'DO $$ BEGIN CREATE ROLE "{name}" {options};'
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )


def _login_settings(login: str, owner: str) -> list[str]:
    return [
        f"ALTER ROLE \"{login}\" SET role = '{owner}'",
        f"ALTER ROLE \"{login}\" SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'",
    ]


def _reader(org_id: UUID, login: str, password: str | None) -> list[str]:
    schema = tenant_schema(org_id)
    readable = [f"{schema}_{s}" for s in READABLE_SCHEMAS]
    secret = f" PASSWORD '{scram.verifier(password)}'" if password else ""
    timeout = int(settings.query_timeout_s * 1000)
    return [
        _create_role(login, f"LOGIN CONNECTION LIMIT {READ_CONNECTIONS}"),
        f'ALTER ROLE "{login}" LOGIN{secret}',
        f'ALTER ROLE "{login}" SET default_transaction_read_only = on',
        f'ALTER ROLE "{login}" SET statement_timeout = {timeout}',
        f'ALTER ROLE "{login}" SET search_path = ' + ", ".join(f'"{s}"' for s in readable),
        *(f'GRANT USAGE ON SCHEMA "{s}" TO "{login}"' for s in readable),
    ]


def _default_privileges(org_id: UUID, server_version: int) -> list[str]:
    """What the owner creates, readers may read. Membership is held only while saying so."""
    owner, schema = owner_role(org_id), tenant_schema(org_id)
    inherit = " WITH INHERIT TRUE, SET FALSE" if server_version >= 160000 else ""
    readers = f'"{readonly_login(org_id)}", "{bi_login(org_id)}"'
    return [
        f'GRANT "{owner}" TO CURRENT_USER{inherit}',
        *(
            f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA "{schema}_{s}"'
            f" GRANT SELECT ON TABLES TO {readers}"
            for s in READABLE_SCHEMAS
        ),
        f'REVOKE "{owner}" FROM CURRENT_USER',
    ]


@cache
def _tenant_ddl() -> tuple[str, ...]:
    dialect = postgresql.dialect()
    statements: list[str] = []
    for table in tenant_metadata.sorted_tables:
        statements.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        statements += [
            str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    return tuple(statements)


def _tenant_tables(schema: str) -> list[str]:
    placeholder = re.compile(rf"\b{TENANT_SCHEMA}\.")
    return [placeholder.sub(f'"{schema}".', statement) for statement in _tenant_ddl()]


async def _logins(session: AsyncSession, org_id: UUID) -> list[str]:
    rows = await session.execute(
        text(r"SELECT rolname FROM pg_roles WHERE rolname LIKE :prefix AND rolname <> :owner"),
        {"prefix": rf"tenant\_{org_id.hex}\_%", "owner": owner_role(org_id)},
    )
    return list(rows.scalars())


async def _end_backends(session: AsyncSession, logins: list[str]) -> None:
    await session.execute(
        text(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY(:l)"
        ),
        {"l": logins},
    )


async def _let_connect(session: AsyncSession, *logins: str) -> None:
    """Last in a transaction: all that follows, others wait for."""
    await _wait_in_line(session)
    to = ", ".join(f'"{login}"' for login in logins)
    await _script(session, f'GRANT CONNECT ON DATABASE "{settings.database.database}" TO {to}')


async def _wait_in_line(session: AsyncSession) -> None:
    """Until the transaction ends: grants on the database change one row of the catalog, and two at
    once fail ("tuple concurrently updated").
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": GRANTS_LOCK})


async def _one_at_a_time(session: AsyncSession, org_id: UUID, what: int = LOGINS) -> None:
    """The same for the logins of one org, which two people may close or drop at once, or for its
    making.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:org, :what))")
    await session.execute(lock, {"org": str(org_id), "what": what})


async def _drop_roles(session: AsyncSession, roles: list[str]) -> int:
    await _wait_in_line(session)
    known = await session.execute(
        text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles)"), {"roles": roles}
    )
    names = list(known.scalars())
    await _end_backends(session, names)
    database = settings.database.database
    for name in names:
        await _script(
            session, f'REVOKE ALL ON DATABASE "{database}" FROM "{name}"', f'DROP ROLE "{name}"'
        )
    return len(names)


async def _server_version(session: AsyncSession) -> int:
    return int(await session.scalar(text("SHOW server_version_num")) or 0)


async def _script(session: AsyncSession, *statements: str) -> None:
    """Run statements in the session's transaction, in one round trip."""
    if not statements:
        return
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = cast(asyncpg.Connection, raw.driver_connection)
    await driver.execute(";\n".join(statements))
