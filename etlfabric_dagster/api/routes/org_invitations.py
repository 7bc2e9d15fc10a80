"""Invitations as the org sees them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.people import InvitationMade, InvitationOut, Role
from etlfabric_dagster.services import invitations

router = org_router("invitations")


class InvitationIn(Value):
    """Who is asked to join, and as what."""

    email: Annotated[str, Field(max_length=254)]
    role: Role


@router.get("")
async def list_invitations(scope: Scoped) -> Page[InvitationOut]:
    """Invitations that still work. Admins."""
    return await invitations.list_open(scope)


@router.post("", status_code=201)
async def create_invitation(actor: CurrentActor, slug: Slug, given: InvitationIn) -> InvitationMade:
    """Invite somebody; the link is shown this once. Admins; only owners invite owners."""
    return await invitations.invite(actor, slug, given.email, given.role)


@router.post("/{invitation_id}/resend")
async def resend_invitation(actor: CurrentActor, slug: Slug, invitation_id: UUID) -> InvitationMade:
    """A new letter with a new link; the old one stops working. Admins."""
    return await invitations.resend(actor, slug, invitation_id)


@router.delete("/{invitation_id}", status_code=204)
async def revoke_invitation(scope: Scoped, invitation_id: UUID) -> None:
    """End an invitation. Admins."""
    await invitations.revoke(scope, invitation_id)
