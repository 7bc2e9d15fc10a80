"""What every page's state has: whether it is loaded, what is in the way, what is under way."""

from __future__ import annotations

from datetime import datetime

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_ui import formats
from etlfabric_ui.views import Moment, Problem


class PageState(rx.State, mixin=True):
    """Mixed into each page's state, so that pages do not share it."""

    loaded: bool = False
    problem: Problem = Problem()
    busy: str = ""
    """Name of what is under way, so that its button says so; "" = nothing."""


def moment(at: datetime | None, zone: str = "UTC") -> Moment:
    """A time for the page."""
    if at is None:
        return Moment()
    return Moment(at.isoformat(), formats.relative(at, clock.now()), formats.moment(at, zone))
