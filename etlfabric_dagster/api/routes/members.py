"""Members of an org, and their roles."""

from __future__ import annotations

from uuid import UUID

from etlfabric_dagster.api.deps import CurrentActor, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.people import MemberOut, Role
from etlfabric_dagster.services import members

router = org_router("members")


class RoleIn(Value):
    """A member's new role."""

    role: Role


@router.get("")
async def list_members(scope: Scoped) -> Page[MemberOut]:
    """Everybody in the org by address."""
    return await members.list_members(scope)


@router.get("/{user_id}")
async def get_member(scope: Scoped, user_id: UUID) -> MemberOut:
    """One person in the org."""
    return await members.get(scope, user_id)


@router.patch("/{user_id}")
async def set_member_role(scope: Scoped, user_id: UUID, given: RoleIn) -> MemberOut:
    """Change a role. Admins; only owners make or unmake owners."""
    return await members.set_role(scope, user_id, given.role)


@router.delete("/{user_id}", status_code=204)
async def remove_member(scope: Scoped, user_id: UUID) -> None:
    """Take a person out of the org. Admins; never the last owner."""
    await members.remove(scope, user_id)


@router.post("/leave", status_code=204)
async def leave_org(actor: CurrentActor, slug: Slug) -> None:
    """Take oneself out of the org; never the last owner."""
    await members.leave(actor, slug)
