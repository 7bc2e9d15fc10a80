"""What an org's logins may not do in the platform's database."""

from __future__ import annotations

from sqlalchemy import text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import tenants


async def test_no_role_of_an_org_may_create_schemas(org: OrgOut, warehouse: Warehouse) -> None:
    roles = [tenants.owner_role(org.id), warehouse.username]
    roles += [tenants.readonly_login(org.id), tenants.bi_login(org.id)]

    assert await holders(roles, "CREATE") == []


async def test_readers_may_not_even_create_temporary_tables(org: OrgOut) -> None:
    """Only the owner may, for dlt's merges: ADR 4."""
    readers = [tenants.readonly_login(org.id), tenants.bi_login(org.id)]

    held = await holders([*readers, tenants.owner_role(org.id)], "TEMPORARY")

    assert held == [tenants.owner_role(org.id)]


async def holders(roles: list[str], privilege: str) -> list[str]:
    asked = text("SELECT has_database_privilege(:role, current_database(), :privilege)")
    async with get_session() as session:
        return [
            role
            for role in roles
            if await session.scalar(asked, {"role": role, "privilege": privilege})
        ]
