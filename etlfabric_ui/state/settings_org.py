"""Settings: the org itself. Name and zone, everything as files, the end of it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import connections, erasures, orgs, pipelines, quotas
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import FormsState
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.state.shell import Shell


class OrgState(FormsState, rx.State):
    """Name, zone, size, end."""

    name: str = ""
    zone: str = "UTC"
    pipelines: str = ""
    contents: str = ""
    size: str = ""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read it, and count what an erase would take."""
        self._clear()
        found = await orgs.get(visit.actor, visit.org)
        self.name, self.zone = found.name, found.timezone
        async with org_scope(visit.actor, visit.org) as scope:
            several = len((await pipelines.list_pipelines(scope)).items)
            sources = len((await connections.list_connections(scope)).items)
            tables, size = await quotas.stored(scope.session, scope.org_id)
        self.size = formats.size(size)
        self.contents = ", ".join(
            (
                formats.plural(sources, "connection"),
                formats.plural(several, "pipeline"),
                formats.plural(tables, "table"),
            )
        )
        self.loaded = True

    @rx.event
    @guarded(Role.OWNER)
    async def save(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Change name and zone; times of all pages follow."""
        self._clear()
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                changed = await orgs.edit(
                    scope,
                    name=str(given.get("name", "")),
                    timezone=str(given.get("timezone", "")),
                )
        except FabricError as exc:
            return self._refuse("general", exc)
        self.name, self.zone = changed.name, changed.timezone
        return [done("Saved."), Shell.enter]

    @rx.event
    @guarded(Role.OWNER)
    async def erase(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Erase the org, for its owner, with its name typed."""
        self._clear()
        try:
            typed = str(given.get("typed", "")).strip()
            await erasures.request(visit.actor, visit.org, typed=typed)
        except FabricError as exc:
            return self._refuse("erase", exc)
        return [
            done(f"{visit.org} is closed and being erased."),
            rx.redirect(routes.HOME),
        ]
