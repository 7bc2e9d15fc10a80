"""Settings: members, their roles, and who is invited."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster.errors import FabricError, InvalidInputError
from etlfabric_dagster.schemas.people import InvitationMade, MemberOut, Role
from etlfabric_dagster.services import invitations, members
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import strings
from etlfabric_ui.state.base import FormsState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.views.settings import InviteLink, InviteRow, MemberRow

MOST = 20
"""Addresses in one go."""


class MembersState(FormsState, rx.State):
    """Who is in the org, and who is asked to join."""

    rows: list[MemberRow] = []
    invited: list[InviteRow] = []
    links: list[InviteLink] = []
    """Of the invitations made just now, shown this once."""
    note: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read both; invitations only for who may see them."""
        self._clear()
        self.links, self.note = [], ""
        await self._read(visit)

    @rx.event
    @guarded(Role.ADMIN)
    async def invite(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Ask one or several people to join; their links stand on the page, once."""
        self._clear()
        self.links, self.note = [], ""
        try:
            for email in _addresses(str(given.get("emails", ""))):
                role = Role(str(given.get("role", Role.VIEWER)))
                self._show(await invitations.invite(visit.actor, visit.org, email, role))
        except FabricError as exc:
            self._refuse("invite", exc)
        await self._read(visit)

    @rx.event
    @guarded(Role.ADMIN)
    async def resend(self, visit: Visit, invitation_id: str) -> None:
        """A new link; the old one stops working."""
        self._clear()
        self.links, self.note = [], ""
        self._show(await invitations.resend(visit.actor, visit.org, UUID(invitation_id)))
        await self._read(visit)

    @rx.event
    @guarded(Role.ADMIN)
    async def revoke(self, visit: Visit, invitation_id: str) -> Any:
        """End an invitation."""
        async with org_scope(visit.actor, visit.org) as scope:
            await invitations.revoke(scope, UUID(invitation_id))
        self.links, self.note = [], ""
        await self._read(visit)
        return done("Invitation revoked.")

    @rx.event
    @guarded(Role.ADMIN)
    async def set_role(self, visit: Visit, user_id: str, role: str) -> Any:
        """Change what a member may do."""
        self._clear()
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                changed = await members.set_role(scope, UUID(user_id), Role(role))
        except FabricError as exc:
            self._refuse("members", exc)
            return await self._read(visit)
        await self._read(visit)
        return done(f"{changed.name or changed.email} is {changed.role} now.")

    @rx.event
    @guarded(Role.ADMIN)
    async def remove(self, visit: Visit, user_id: str) -> Any:
        """Take a person out of the org."""
        self._clear()
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                await members.remove(scope, UUID(user_id))
        except FabricError as exc:
            self._refuse("members", exc)
            return None
        await self._read(visit)
        return done("Removed.")

    def _show(self, made: InvitationMade) -> None:
        self.links = [*self.links, InviteLink(made.email, made.link)]
        if self.note != strings.NO_MAIL:  # one that was not mailed is to be handed on
            self.note = strings.INVITED_BY_MAIL if made.mailed else strings.NO_MAIL

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = (await members.list_members(scope)).items
            asked = (await invitations.list_open(scope)).items if _may(visit) else ()
        self.rows = [_member(one, visit.actor.user_id) for one in found]
        self.invited = [
            InviteRow(str(one.id), one.email, str(one.role), one.invited_by, moment(one.expires_at))
            for one in asked
        ]
        self.loaded = True


def _may(visit: Visit) -> bool:
    return visit.role is not None and visit.role.may(Role.ADMIN)


def _member(one: MemberOut, me: UUID | None) -> MemberRow:
    return MemberRow(
        id=str(one.user_id),
        name=one.name or "",
        email=one.email,
        role=str(one.role),
        seen=moment(one.last_seen_at),
        you=one.user_id == me,
    )


def _addresses(text: str) -> list[str]:
    """Between commas, semicolons or blanks. Raises InvalidInputError."""
    found = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", text))))
    if not 1 <= len(found) <= MOST:
        raise InvalidInputError(
            f"{len(found)} addresses were given.", f"Write 1 to {MOST}.", field="emails"
        )
    return found
