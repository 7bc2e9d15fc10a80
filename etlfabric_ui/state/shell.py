"""The frame around every page: who is signed in, in which org, with what rights."""

from __future__ import annotations

import reflex as rx

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import accounts, members, mutes, orgs, pipeline_health
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import routes
from etlfabric_ui.state.base import browser_zone
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.shared import OrgChoice, Problem


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
    contact: str = ""
    """Of the operator, where one is set."""
    orgs: list[OrgChoice] = []
    owner: str = ""
    """Whom to ask for more rights."""
    zone: str = "UTC"
    """IANA zone in which this page tells times."""
    refused_edit: str = ""
    """Why a control for editors does not work; "" when it does. Likewise the next two."""
    refused_admin: str = ""
    refused_own: str = ""
    entered_as_operator: bool = False
    """An operator inside an org they are no member of."""
    alerts: int = 0
    failing: int = 0

    @rx.var
    def may_edit(self) -> bool:
        """Whether controls for editors are explained or work; the services decide."""
        return bool(self.role) and Role(self.role).may(Role.EDITOR)

    @rx.var
    def may_admin(self) -> bool:
        """Likewise for admins."""
        return bool(self.role) and Role(self.role).may(Role.ADMIN)

    @rx.event
    @guarded(None)
    async def enter(self, visit: Visit) -> None:
        """Fill the frame for the page's org."""
        slug = getattr(self, "org_slug", "") or ""
        me = await accounts.me(visit.actor)
        self.email, self.name, self.is_operator = me.email, me.name or "", me.is_operator
        self.orgs = [
            OrgChoice(one.slug, one.name, str(one.role), one.slug == slug) for one in me.orgs
        ]
        self.problem = Problem()
        if slug:
            await self._enter_org(visit, slug)
        else:
            self._enter_none()
        self.ready = True

    @rx.event
    @guarded(None)
    async def go_home(self, visit: Visit) -> rx.event.EventSpec | None:
        """`/` leads to the org that was seen last, or the first, or the operator's page."""
        me = await accounts.me(visit.actor)
        slugs = [one.slug for one in me.orgs]
        if slugs:
            slug = self.org if self.org in slugs else slugs[0]
            return rx.redirect(routes.to(routes.OVERVIEW, org_slug=slug), replace=True)
        if me.is_operator:
            return rx.redirect(routes.OPERATOR_ORGS, replace=True)
        self.email, self.name, self.is_operator = me.email, me.name or "", me.is_operator
        self.orgs, self.org, self.org_name, self.role, self.ready = [], "", "", "", True
        return None

    async def _enter_org(self, visit: Visit, slug: str) -> None:
        try:
            async with org_scope(visit.actor, slug) as scope:
                self.role, self.suspended = str(scope.role), scope.status == "suspended"
                self.zone, self.contact = scope.timezone, settings.operator_contact or ""
                self.owner = await members.first_owner(scope)
                self.alerts = await mutes.count_open(scope)
                self.failing = await pipeline_health.count_failing(scope.session)
            mine = next((one.name for one in self.orgs if one.current), "")
            self.org_name = mine or (await orgs.get(visit.actor, slug)).name
        except FabricError as exc:
            self.org = self.org_name = self.role = ""
            self.problem = problem_of(exc)
            return
        self.org = slug

        self.entered_as_operator = visit.actor.is_operator and not mine
        self.refused_edit = self._refused(Role.EDITOR)
        self.refused_admin = self._refused(Role.ADMIN)
        self.refused_own = self._refused(Role.OWNER)

    def _enter_none(self) -> None:
        """A page of no org: its menu leads back to the org that was seen last, or the first."""
        self.zone = browser_zone(self.router.headers.cookie)
        self.suspended = self.entered_as_operator = False
        self.alerts = self.failing = 0
        if not self.org and self.orgs:
            self.org, self.org_name = self.orgs[0].slug, self.orgs[0].name

    def _refused(self, needs: Role) -> str:
        if Role(self.role).may(needs):
            return ""
        ask = f"Ask {self.owner} (owner)." if self.owner else "Ask an operator."
        return f"{needs.capitalize()}s can do this; you are {self.role}. {ask}"
