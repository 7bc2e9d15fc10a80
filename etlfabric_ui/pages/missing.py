"""No page at this address."""

from __future__ import annotations

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.doors import door
from etlfabric_ui.components.elements import link_button


def missing() -> rx.Component:
    """The same words as for what another org has."""
    return door(
        strings.NOT_FOUND,
        rx.el.p(strings.MISSING),
        link_button(strings.GO_TO_OVERVIEW, routes.HOME, "primary"),
    )
