"""A run's log: the newest lines, older ones on demand, filters and search over all of it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button, exact, icon
from etlfabric_ui.components.panels import announced, no_match
from etlfabric_ui.state.run import TAIL, RunState
from etlfabric_ui.state.shell import Shell

State: Any = RunState  # its attributes are Vars, which no type checker knows


def log() -> rx.Component:
    """panel.js lets it follow, holds it where one reads, and finds the next error."""
    return rx.el.section(
        _head(),
        _of_one(),
        rx.el.div(
            rx.cond(State.older > 0, _older()),
            rx.cond(
                State.log.length() > 0,
                rx.el.ol(rx.foreach(State.log, _line)),
                _nothing(),
            ),
            rx.cond(State.newer > 0, _newer()),
            class_name="log",
            tab_index=0,
            role="region",
            custom_attrs={
                "data-follow": rx.cond(State.following, "1", "0"),
                "data-total": State.log_total,
                "data-at": State.at_line,
                "data-query": State.query,
                "aria-label": f"Log, times in {Shell.zone}",
            },
        ),
        rx.el.footer(
            rx.el.span(State.log_shown, class_name="grow"),
            rx.el.button(
                "New lines ↓",
                type="button",
                class_name="btn ghost small-btn log-new",
                custom_attrs={"data-do": "log-follow"},
            ),
            rx.el.span("times in ", Shell.zone),
            class_name="row pad soft small",
        ),
        class_name="panel log-panel",
    )


def _head() -> rx.Component:
    return rx.el.header(
        rx.el.h2("Log"),
        rx.cond(State.attempts.length() > 0, _attempts()),
        rx.el.div(
            _tab("All", ""),
            _tab(f"Warnings {exact(State.warnings)}", "warning"),
            _tab(f"Errors {exact(State.errors)}", "error"),
            class_name="row grow",
        ),
        rx.el.label(
            icon("search"),
            rx.el.input(
                type="search",
                class_name="input",
                placeholder="Search the log",
                default_value=State.search,
                on_change=State.search_log.debounce(200),
                custom_attrs={"aria-label": "Search the log"},
            ),
            class_name="with-icon log-search",
        ),
        _follow(),
        _download(),
        class_name="log-head",
    )


def _tab(label: Any, level: str) -> rx.Component:
    return rx.el.button(
        label,
        type="button",
        on_click=State.filter_log(level, State.subject),
        custom_attrs={"aria-pressed": rx.cond(State.level == level, "true", "false")},
        class_name="btn ghost small-btn",
    )


def _attempts() -> rx.Component:
    return rx.el.select(
        rx.el.option("All attempts", value="0"),
        rx.foreach(
            State.attempts, lambda one: rx.el.option(one.said, value=one.number.to_string())
        ),
        value=State.attempt.to_string(),
        on_change=State.pick_attempt,
        class_name="select auto",
        custom_attrs={"aria-label": "Attempt"},
    )


def _follow() -> rx.Component:
    return rx.el.button(
        "Follow",
        type="button",
        class_name="btn ghost small-btn",
        custom_attrs={"data-do": "log-follow", "data-key": "f", "aria-pressed": "true"},
    )


def _download() -> rx.Component:
    return rx.el.button(
        icon("download"),
        type="button",
        class_name="btn ghost icon",
        title="Download the whole log",
        custom_attrs={
            "data-do": "download",
            "data-path": f"/api/v1/orgs/{Shell.org}/runs/{State.id}/logs/text",
            "aria-label": "Download the whole log",
        },
    )


def _of_one() -> rx.Component:
    return announced(
        State.subject,
        "Only ",
        rx.el.b(State.subject),
        button("Show all", "linkish", on_click=State.filter_log(State.level, "")),
        class_name="row pad soft small",
    )


def _older() -> rx.Component:
    return rx.el.p(
        f"↑ {exact(State.older)} older lines",
        button(f"Load {TAIL}", "linkish", on_click=State.see_older),
        class_name="row pad soft",
    )


def _newer() -> rx.Component:
    return rx.el.p(
        f"↓ {exact(State.newer)} newer lines",
        button(f"Load {TAIL}", "linkish", on_click=State.see_newer),
        button("Newest", "linkish", on_click=State.see_newest),
        class_name="row pad soft",
    )


def _nothing() -> Any:
    return rx.cond(
        (State.level != "") | (State.search != "") | (State.subject != ""),
        rx.el.div(no_match("lines", State.clear_log, beside=True), class_name="pad"),
        rx.el.p(rx.cond(State.live, "No lines yet.", "No lines."), class_name="soft pad"),
    )


def _line(line: Any) -> rx.Component:
    return rx.el.li(
        rx.el.a(line.at, class_name="t", href=f"?line={line.number}", tab_index=-1),
        rx.el.span(line.level, class_name="lv"),
        rx.el.span(
            rx.cond(line.subject != "", rx.el.b(line.subject, "  "), ""),
            line.message,
            class_name="msg",
        ),
        class_name=rx.cond(line.number == State.at_line, f"{line.level} here", line.level),
        custom_attrs={"data-n": line.number},
    )
