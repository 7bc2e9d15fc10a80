"""The caller's own API tokens."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.orgs import TokenOut
from etlfabric_dagster.schemas.people import Role, TokenInfo
from etlfabric_dagster.services import tokens

router = make_router("tokens")


class TokenIn(Value):
    """A token's name and limits; without limits it acts as its owner."""

    name: Annotated[str, Field(max_length=200)]
    org: Annotated[str | None, Field(max_length=60)] = None
    role: Role | None = None
    read_only: bool = False
    days: Annotated[int, Field(ge=1, le=tokens.MAX_DAYS)] = tokens.DEFAULT_DAYS


@router.get("")
async def list_tokens(actor: CurrentActor) -> Page[TokenInfo]:
    """Own tokens that work."""
    return await tokens.list_own(actor)


@router.post("", status_code=201)
async def create_token(actor: CurrentActor, given: TokenIn) -> TokenOut:
    """A new token, shown this once."""
    return await tokens.create(
        actor,
        given.name,
        org=given.org,
        role=given.role,
        read_only=given.read_only,
        days=given.days,
    )


@router.delete("/{token_id}", status_code=204)
async def revoke_token(actor: CurrentActor, token_id: UUID) -> None:
    """End an own token at once."""
    await tokens.revoke_own(actor, token_id)
