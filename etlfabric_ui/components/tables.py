"""Tables: heads, rows, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, unless

LIVE_MS = 1500
"""How often a page asks for changes of state: another window's stands in it within two seconds."""

Head = tuple[str | rx.Component, str]
"""Label and class: `num` for numbers, `not-narrow` for what a phone leaves out."""


def table(heads: Sequence[Head], rows: Any, label: str) -> rx.Component:
    """A plain table that scrolls sideways when it must."""
    return rx.el.div(
        rx.el.table(
            rx.el.caption(label, class_name="sr"),
            rx.el.thead(
                rx.el.tr(*(rx.el.th(text, class_name=kind, scope="col") for text, kind in heads))
            ),
            rx.el.tbody(rows),
            class_name="table",
        ),
        class_name="table-wrap",
    )


def differences(rows: Any) -> rx.Component:
    """`Difference`s: what somebody saved meanwhile, beside one's own."""
    return rx.cond(
        rows.length() > 0,
        table(
            [("", ""), ("Saved meanwhile", ""), ("Yours", "")],
            rx.foreach(
                rows,
                lambda row: rx.el.tr(
                    rx.el.th(row.label, scope="row"),
                    rx.el.td(row.theirs, class_name="wrap"),
                    rx.el.td(row.yours, class_name="wrap"),
                ),
            ),
            "Differences",
        ),
    )


def pager(shown: Any, back: Any, on: Any, has_back: Any, has_more: Any) -> rx.Component:
    """What is shown of how much, and the pages around it."""
    return rx.el.div(
        rx.el.span(shown),
        rx.el.div(
            rx.cond(has_back, button("Previous", on_click=back)),
            rx.cond(has_more, button("Next", on_click=on)),
            class_name="row",
        ),
        class_name="pager",
    )


def choose(
    label: str,
    value: Any,
    options: Sequence[tuple[str, str]],
    on_change: Any,
    *,
    refused: Any = "",
) -> rx.Component:
    """A select in a toolbar; `refused` is why nothing may be chosen."""
    return rx.el.select(
        *(rx.el.option(text, value=key) for key, text in options),
        value=value,
        on_change=on_change,
        class_name="select auto",
        **unless(refused, **{"aria-label": label}),
    )


def state_words(states: Sequence[str]) -> list[tuple[str, str]]:
    """Options to choose a state from; "" is any."""
    return [(one, strings.STATES.get(one, "Any status")) for one in states]


def ticker(every_ms: Any, event: Any) -> rx.Component:
    """Asks again while the page is open; draws nothing."""
    return rx.el.span(
        rx.moment(interval=every_ms, on_change=event, format="[ ]"),
        class_name="sr",
        custom_attrs={"aria-hidden": "true"},
    )
