"""The frame around every page: who is signed in, in which org, with what rights."""

from __future__ import annotations

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import users
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import routes
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views import OrgChoice, Problem


class Shell(rx.State):
    """Filled by `enter` on each page; the page itself never believes it."""

    ready: bool = False
    problem: Problem = Problem()
    email: str = ""
    name: str = ""
    is_operator: bool = False
    org: str = ""
    org_name: str = ""
    role: str = ""
    suspended: bool = False
    orgs: list[OrgChoice] = []

    @rx.var
    def may_edit(self) -> bool:
        """Whether controls for editors are explained or work; the services decide."""
        return bool(self.role) and Role(self.role).may(Role.EDITOR)

    @rx.var
    def may_admin(self) -> bool:
        """Likewise for admins."""
        return bool(self.role) and Role(self.role).may(Role.ADMIN)

    @rx.var
    def entered_as_operator(self) -> bool:
        """An operator inside an org they are no member of."""
        return self.is_operator and bool(self.org) and not any(one.current for one in self.orgs)

    @rx.event
    @guarded(None)
    async def enter(self, visit: Visit) -> None:
        """Fill the frame for the page's org."""
        slug = getattr(self, "org_slug", "") or ""
        me = await users.me(visit.actor)
        self.email, self.name, self.is_operator = me.email, me.name or "", me.is_operator
        self.orgs = [
            OrgChoice(one.slug, one.name, str(one.role), one.slug == slug) for one in me.orgs
        ]
        self.problem = Problem()
        if slug:
            await self._enter_org(visit, slug)
        self.ready = True

    @rx.event
    @guarded(None)
    async def go_home(self, visit: Visit) -> rx.event.EventSpec | None:
        """`/` leads to the org that was seen last, or the first, or the operator's page."""
        me = await users.me(visit.actor)
        slugs = [one.slug for one in me.orgs]
        if slugs:
            slug = self.org if self.org in slugs else slugs[0]
            return rx.redirect(routes.to(routes.OVERVIEW, org_slug=slug), replace=True)
        self.email, self.name, self.is_operator = me.email, me.name or "", me.is_operator
        self.orgs, self.org, self.org_name, self.role, self.ready = [], "", "", "", True
        return None

    async def _enter_org(self, visit: Visit, slug: str) -> None:
        try:
            async with org_scope(visit.actor, slug) as scope:
                self.role, self.suspended = str(scope.role), scope.status == "suspended"
        except FabricError as exc:
            self.org = self.org_name = self.role = ""
            self.problem = problem_of(exc)
            return
        self.org = slug
        self.org_name = next((one.name for one in self.orgs if one.slug == slug), slug)
