"""Runs in a table, wherever they are listed."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import badge, time
from etlfabric_ui.state.shell import Shell

HEADS = (
    *(("State", ""), ("Pipeline", ""), ("Rows, or why not", "not-narrow")),
    *(("Trigger", "not-narrow"), ("Attempt", "not-narrow"), ("Started", "")),
    *(("Took", "num not-narrow"), ("Waited", "num not-narrow")),
)


def run_cells(row: Any, *before: rx.Component) -> rx.Component:
    """A `RunRow` under `HEADS`; `before` are cells of the page's own."""
    return rx.el.tr(
        *before,
        rx.el.td(badge(row.state)),
        rx.el.td(
            rx.link(
                row.pipeline, href=f"/o/{Shell.org}/runs/{row.id}", class_name="name", unstyled=True
            ),
            rx.el.div(row.outcome, class_name="reason only-narrow"),
        ),
        rx.el.td(
            rx.el.div(row.outcome, class_name="cut", title=row.outcome),
            class_name="outcome not-narrow",
        ),
        rx.el.td(row.trigger, class_name="not-narrow nowrap"),
        rx.el.td(row.attempt, class_name="not-narrow nowrap"),
        rx.el.td(time(row.started)),
        rx.el.td(
            rx.cond(row.state == "running", time(row.started, "span"), row.took),
            class_name="num not-narrow",
        ),
        rx.el.td(row.waited, class_name="num not-narrow"),
    )
