"""The stable read-only login for BI tools."""

from __future__ import annotations

from etlfabric_dagster.api.deps import Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.orgs import BiCredentials
from etlfabric_dagster.services import orgs

router = org_router("bi-credentials")


@router.get("")
async def get_bi_credentials(scope: Scoped) -> BiCredentials:
    """Where BI tools connect; the password is not shown again."""
    return await orgs.bi_credentials(scope)


@router.post("/roll")
async def roll_bi_credentials(scope: Scoped) -> BiCredentials:
    """A new password, shown this once; the old one stops working now."""
    return await orgs.bi_credentials(scope, roll=True)
