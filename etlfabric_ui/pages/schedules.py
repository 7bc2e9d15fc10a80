"""Schedules: the time line and the list."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import badge, button, link_button, time
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import empty, loads
from etlfabric_ui.components.tables import table, ticker
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.state.schedules import SchedulesState
from etlfabric_ui.state.shell import Shell

State: Any = SchedulesState  # its attributes are Vars, which no type checker knows
SPANS = (("6h", "6 h"), ("24h", "24 h"), ("7d", "7 days"))


def schedules() -> rx.Component:
    """What ran, what runs next, and what meets."""
    here = f"/o/{Shell.org}/schedules"
    heads = [("Pipeline", ""), ("Runs", ""), ("Time zone", "not-narrow")]
    heads += [("Next run", ""), ("", "num")]
    content = rx.el.div(
        _time_line(),
        rx.cond(
            State.notes.length() > 0,
            rx.el.ul(
                rx.foreach(State.notes, lambda said: rx.el.li(said)),
                class_name="soft stack tight",
            ),
        ),
        table(heads, rx.foreach(State.rows, _row), "Schedules"),
        rx.el.div(
            rx.cond(State.after != "", link_button("First", f"{here}?span={State.span}")),
            rx.cond(
                State.next_after != "",
                link_button("Next", f"{here}?span={State.span}&after={State.next_after}"),
            ),
            class_name="row",
        ),
        class_name="stack loose",
    )
    nothing = empty(
        strings.NO_SCHEDULES,
        strings.NO_SCHEDULES_TEXT,
        [link_button("Go to Pipelines", f"/o/{Shell.org}/pipelines")],
    )
    return framed(
        "schedules",
        heading(
            "Schedules",
            beside=rx.el.nav(
                *(
                    rx.link(
                        label,
                        href=f"{here}?span={key}",
                        class_name="btn ghost small-btn",
                        unstyled=True,
                        custom_attrs={"aria-current": rx.cond(State.span == key, "page", "false")},
                    )
                    for key, label in SPANS
                ),
                class_name="row not-narrow",
                custom_attrs={"aria-label": "How much time is shown"},
            ),
        ),
        loads(
            State.loaded,
            State.problem,
            rx.cond((State.rows.length() > 0) | (State.after != ""), content, nothing),
            retry=State.load,
        ),
        ticker(10_000, State.poll),
    )


def _time_line() -> rx.Component:
    def box(one: Any) -> rx.Component:
        return rx.el.i(
            class_name=one.state, title=one.said, style={"left": one.left, "width": one.width}
        )

    def line(row: Any) -> rx.Component:
        return rx.el.div(
            rx.link(row.pipeline, href=row.href, class_name="cut", title=row.pipeline),
            rx.el.div(
                rx.foreach(row.boxes, box),
                class_name="line",
                role="img",
                custom_attrs={"aria-label": row.said},
            ),
            class_name="lane",
        )

    return rx.el.figure(
        rx.el.div(
            rx.el.span(State.zone, class_name="soft small cut"),
            rx.el.div(
                rx.foreach(
                    State.marks,
                    lambda one: rx.el.span(one.text, style={"left": one.left}),
                ),
                rx.el.span("now", class_name="now"),
                class_name="marks",
                custom_attrs={"aria-hidden": "true"},
            ),
            class_name="lane",
        ),
        rx.foreach(State.rows, line),
        class_name="time-line not-narrow",
        custom_attrs={"aria-label": "What ran and what will run"},
    )


def _row(row: Any) -> rx.Component:
    pause = rx.cond(
        row.paused,
        button("Resume", on_click=State.pause(row.pipeline, False)),
        button("Pause", on_click=State.pause(row.pipeline, True)),
    )
    no_pause = button("Pause", refused=strings.EDITORS_PAUSE)
    return rx.el.tr(
        rx.el.td(rx.link(row.pipeline, href=row.href, class_name="name", unstyled=True)),
        rx.el.td(row.rule),
        rx.el.td(row.zone, class_name="not-narrow"),
        rx.el.td(rx.cond(row.paused, badge("paused"), time(row.next_run))),
        rx.el.td(
            rx.el.div(
                editors_only(pause, no_pause),
                link_button("Edit", row.edit),
                class_name="row right",
            ),
            class_name="num",
        ),
    )
