"""What an org's logins may not do in the platform's database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import tenants


@pytest.mark.parametrize("privilege", ["CREATE", "TEMPORARY"])
async def test_no_role_of_an_org_may_create_beyond_its_schemas(
    org: OrgOut, warehouse: Warehouse, privilege: str
) -> None:
    """Neither schemas nor temporary tables: ADR 4."""
    roles = [tenants.owner_role(org.id), warehouse.username]
    roles += [tenants.readonly_login(org.id), tenants.bi_login(org.id)]

    assert await holders(roles, privilege) == []


async def holders(roles: list[str], privilege: str) -> list[str]:
    asked = text("SELECT has_database_privilege(:role, current_database(), :privilege)")
    async with get_session() as session:
        return [
            role
            for role in roles
            if await session.scalar(asked, {"role": role, "privilege": privilege})
        ]
