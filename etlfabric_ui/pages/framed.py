"""Puts a page into the frame, with the signed-in person's facts."""

from __future__ import annotations

import reflex as rx

from etlfabric_ui.components.frame import FrameProps, frame
from etlfabric_ui.components.panels import problem_panel
from etlfabric_ui.state.shell import Shell

BUILT = frozenset({"overview"})
"""Page types that the menu may name."""

PROPS = FrameProps(
    org=Shell.org,
    org_name=Shell.org_name,
    role=Shell.role,
    email=Shell.email,
    orgs=Shell.orgs,
    suspended=Shell.suspended,
    as_operator=Shell.entered_as_operator,
    built=BUILT,
)


def framed(current: str, *content: rx.Component) -> rx.Component:
    """A page of an org; instead of it, what is in the way of the org."""
    return frame(
        PROPS,
        current,
        rx.cond(
            Shell.problem.kind != "",
            problem_panel(Shell.problem, overview="/"),
            rx.fragment(*content),
        ),
    )
