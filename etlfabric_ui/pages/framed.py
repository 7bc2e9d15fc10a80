"""Puts a page into the frame, with the signed-in person's facts."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button
from etlfabric_ui.components.frame import FrameProps, frame
from etlfabric_ui.components.panels import problem_panel
from etlfabric_ui.state.receipts import Receipts
from etlfabric_ui.state.shell import Shell

BUILT = frozenset(
    {
        "alerts",
        "connections",
        "data",
        "dbt-models",
        "lineage",
        "overview",
        "pipelines",
        "runs",
        "schedules",
        "settings",
    }
)
"""Page types that the menu may name."""

PROPS = FrameProps(
    org=Shell.org,
    org_name=Shell.org_name,
    role=Shell.role,
    email=Shell.email,
    orgs=Shell.orgs,
    suspended=Shell.suspended,
    contact=Shell.contact,
    as_operator=Shell.entered_as_operator,
    is_operator=Shell.is_operator,
    zone=Shell.zone,
    alerts=Shell.alerts,
    failing=Shell.failing,
    receipts=Receipts,
    built=BUILT,
)

EDITORS_CONNECT = button(
    "New connection", "primary", icon_name="plus", refused="Editors can create connections."
)
"""What a viewer sees in the button's place: present, and with the reason."""


def framed(current: str, *content: rx.Component) -> rx.Component:
    """A page of an org; instead of it, what is in the way of the org."""
    return frame(
        PROPS,
        current,
        rx.cond(
            Shell.problem.kind != "",
            problem_panel(Shell.problem, Shell.enter, overview="/"),
            rx.fragment(*content),
        ),
    )


def editors_only(control: Any, refusal: Any) -> Any:
    """The control, or a value of it, and for a viewer the same with the reason why not."""
    return rx.cond(Shell.may_edit, control, refusal)
