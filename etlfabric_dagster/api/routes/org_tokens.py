"""API tokens that open an org."""

from __future__ import annotations

from uuid import UUID

from etlfabric_dagster.api.deps import Scoped
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.people import TokenInfo
from etlfabric_dagster.services import tokens

router = org_router("tokens")


@router.get("")
async def list_org_tokens(scope: Scoped) -> Page[TokenInfo]:
    """Tokens bound to the org, and members' tokens without that limit. Admins."""
    return await tokens.list_in_org(scope)


@router.delete("/{token_id}", status_code=204)
async def revoke_org_token(scope: Scoped, token_id: UUID) -> None:
    """End a token that is bound to the org. Admins."""
    await tokens.revoke_in_org(scope, token_id)
