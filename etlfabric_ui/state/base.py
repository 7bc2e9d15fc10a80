"""What every page's state has: whether it is loaded, what is in the way, what is under way."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import unquote
from zoneinfo import available_timezones

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_ui import formats
from etlfabric_ui.state.zones import local, zone
from etlfabric_ui.views import Moment, Problem


class PageState(rx.State, mixin=True):
    """Mixed into each page's state, so that pages do not share it."""

    loaded: bool = False
    problem: Problem = Problem()
    busy: str = ""
    """Name of what is under way, so that its button says so; "" = nothing."""


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
