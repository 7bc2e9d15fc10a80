"""Overview: is my data all right?"""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import icon, link_button, state_icon, time
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import empty, loads
from etlfabric_ui.components.tables import ticker
from etlfabric_ui.pages.framed import EDITORS_CONNECT, framed
from etlfabric_ui.state.overview import LOOK_MS, OverviewState
from etlfabric_ui.state.shell import Shell

State: Any = OverviewState  # its attributes are Vars, which no type checker knows


def overview() -> rx.Component:
    """The answer in one sentence, what needs someone, figures, what comes next."""
    return framed(
        "overview",
        heading("Overview", _new()),
        loads(
            State.loaded,
            State.problem,
            rx.cond(State.pipelines > 0, _answer(), _first()),
            retry=State.load,
        ),
        ticker(LOOK_MS, State.poll),
    )


def home() -> rx.Component:
    """`/`: on the way to an org, or the place of someone without one."""
    return framed(
        "",
        rx.cond(
            Shell.ready,
            rx.fragment(heading("Welcome"), empty("No orgs yet", strings.NO_ORG)),
            rx.el.h1(strings.PRODUCT, class_name="sr"),
        ),
    )


def _new() -> rx.Component:
    return rx.cond(
        Shell.may_edit,
        link_button(
            strings.NEW_CONNECTION,
            f"/o/{Shell.org}/connections/new",
            "primary",
            icon_name="plus",
            custom_attrs={"data-new": ""},
        ),
        EDITORS_CONNECT,
    )


def _first() -> rx.Component:
    return empty(
        strings.FIRST_SOURCE,
        strings.FIRST_SOURCE_TEXT,
        [_new()],
    )


def _answer() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            state_icon(State.mood, label=False),
            State.sentence,
            class_name="row strong",
            role="status",
        ),
        rx.cond(State.needs.length() > 0, _needs()),
        _figures(),
        rx.el.div(_chart(), _next(), class_name="run-cols overview-cols"),
        class_name="stack sections",
    )


def _needs() -> rx.Component:
    return rx.el.ul(
        rx.foreach(
            State.needs,
            lambda need: rx.el.li(
                state_icon(need.state),
                rx.link(
                    need.name, href=need.href, class_name="strong", custom_attrs={"data-row": ""}
                ),
                rx.el.span(need.headline, class_name="nowrap"),
                rx.el.span(need.reason, class_name="soft grow cut", title=need.reason),
            ),
        ),
        class_name="needs panel",
    )


def _figure(label: str, value: object, below: object, href: str) -> rx.Component:
    return rx.el.div(
        rx.el.div(label, class_name="label"),
        rx.link(rx.el.div(value, class_name="value"), href=href, unstyled=True),
        rx.el.div(below, class_name="soft small"),
        class_name="figure",
    )


def _figures() -> rx.Component:
    base = f"/o/{Shell.org}"
    return rx.el.div(
        _figure("Oldest mart", time(State.mart_fresh), State.mart, f"{base}/data"),
        _figure("Success, 7 days", State.success, "of the runs that ended", f"{base}/runs"),
        _figure("Rows today", State.rows_today, "days are UTC", f"{base}/runs"),
        _figure("Now", State.running, State.queued, f"{base}/runs?status=running"),
        class_name="figures",
    )


def _chart() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Rows loaded per day, 30 days"),
        rx.cond(
            State.days.length() > 0,
            rx.el.div(
                rx.el.div(
                    rx.foreach(
                        State.days,
                        lambda day: rx.el.span(
                            rx.el.i(
                                style={"height": day.height},
                                class_name=rx.cond(day.today, "today", ""),
                            ),
                            title=day.said,
                        ),
                    ),
                    class_name="bars",
                    role="img",
                    custom_attrs={"aria-label": State.days_finding},
                ),
                rx.el.div(
                    rx.el.span(State.days[0].label),
                    rx.el.span("highest ", State.most),
                    rx.el.span("today"),
                    class_name="axis",
                ),
            ),
            rx.el.p("No rows loaded yet.", class_name="soft"),
        ),
        class_name="stack",
    )


def _next() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Next runs"),
        rx.cond(
            State.upcoming.length() > 0,
            rx.el.ul(
                rx.foreach(
                    State.upcoming,
                    lambda one: rx.el.li(
                        icon("calendar-clock"),
                        rx.el.span(one.pipeline, class_name="grow cut"),
                        time(one.at),
                        class_name="row",
                    ),
                ),
                class_name="stack",
            ),
            rx.el.p(f"{strings.NO_SCHEDULES} {strings.NO_SCHEDULES_TEXT}", class_name="soft"),
        ),
        class_name="stack",
    )
