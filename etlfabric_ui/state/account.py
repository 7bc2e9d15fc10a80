"""One's own account: name, where one is signed in. Passwords go to the API, not through here."""

from __future__ import annotations

import re
from typing import Any

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import SessionOut
from etlfabric_dagster.services import accounts, sessions
from etlfabric_ui.state.base import FormsState, browser_zone, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.state.shell import Shell
from etlfabric_ui.state.zones import use_zone
from etlfabric_ui.views.settings import SessionRow

BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"))
BROWSERS += (("Safari", "Safari"), ("curl", "curl"), ("python", "Python"))
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"))
SYSTEMS += (("Mac OS", "macOS"), ("Linux", "Linux"))


class AccountState(FormsState, rx.State):
    """Who one is, and where one is signed in."""

    name: str = ""
    email: str = ""
    confirmed: bool = True
    waiting: str = ""
    """A new address whose letter was not opened yet."""
    sessions: list[SessionRow] = []

    @rx.event
    @guarded(None)
    async def load(self, visit: Visit) -> None:
        """Read it."""
        self._clear()
        use_zone(browser_zone(self.router.headers.cookie))
        me = await accounts.me(visit.actor)
        self.name, self.email = me.name or "", me.email
        self.confirmed, self.waiting = me.email_verified, me.new_email or ""
        self.sessions = [_session(one) for one in (await sessions.list_own(visit.actor)).items]
        self.loaded = True

    @rx.event
    @guarded(None)
    async def rename(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Change one's name."""
        self._clear()
        try:
            self.name = (await accounts.rename(visit.actor, str(given.get("name", "")))).name or ""
        except FabricError as exc:
            return self._refuse("name", exc)
        return [done("Saved."), Shell.enter]


def device(user_agent: str) -> str:
    """“Chrome on Linux”, as far as a browser says; else the beginning of what it says."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if not browser:
        return re.split(r"[ /]", user_agent)[0][:40] or "Unknown device"
    return f"{browser} on {system}" if system else browser


def _session(one: SessionOut) -> SessionRow:
    return SessionRow(
        device(one.user_agent), one.address or "—", moment(one.created_at), one.current
    )
