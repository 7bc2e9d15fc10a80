"""What every page's state has: whether it is loaded, what is in the way, what is under way."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import unquote, urlencode, urlsplit
from zoneinfo import available_timezones

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import FabricError
from etlfabric_ui import formats
from etlfabric_ui.state.zones import local, zone
from etlfabric_ui.views.shared import Moment, Problem


class PageState(rx.State, mixin=True):
    """Mixed into each page's state, so that pages do not share it."""

    loaded: bool = False
    problem: Problem = Problem()
    busy: str = ""
    """Name of what is under way, so that its button says so; "" = nothing."""


class FormsState(PageState, mixin=True):
    """A page with forms: what one of them was refused for stands below that form."""

    wrong: str = ""
    """Which form."""
    wrong_said: str = ""

    def _refuse(self, form: str, error: FabricError) -> None:
        """Say below the form why not, and what to do."""
        self.wrong, self.busy = form, ""
        self.wrong_said = f"{error.message} {spoken(error.remedy)}".strip()

    def _clear(self) -> None:
        """Nothing is wrong any more."""
        self.wrong = self.wrong_said = ""
        self.problem = Problem()


def dagster_at(page_url: str) -> str:
    """Where the browser of this page reaches Dagster: as it is set, or at the page's own host."""
    if settings.public_dagster_url:
        return settings.public_dagster_url.rstrip("/")
    url = urlsplit(page_url)
    return f"{url.scheme or 'http'}://{url.hostname or 'localhost'}:{settings.dagster_port}"


def spoken(remedy: str) -> str:
    """A remedy without its command: the panel never shows one."""
    before, _, command = remedy.partition(": etlfabric ")
    return f"{before}." if command else "" if "`etlfabric " in remedy else remedy


def query_of(**facts: str) -> str:
    """What a page shows, as its URL's query: panel.js puts it there, and nothing is loaded anew."""
    return urlencode({name: value for name, value in facts.items() if value})


def browser_zone(cookies: str | None) -> str:
    """The browser's IANA zone, which panel.js leaves in a cookie; UTC when it is none we know."""
    found = re.search(r"(?:^|; )etlfabric_zone=([\w+/%-]{1,60})", cookies or "")
    wanted = unquote(found[1]) if found else "UTC"
    return wanted if wanted in available_timezones() else "UTC"


def moment(at: datetime | None) -> Moment:
    """A time for the page, in the org's zone."""
    if at is None:
        return Moment()
    return Moment(
        at.isoformat(), formats.relative(local(at), clock.now()), formats.moment(at, zone())
    )
