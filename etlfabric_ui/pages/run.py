"""A run, live: the page people watch."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import badge, button, icon, link_button, state_icon
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import loads
from etlfabric_ui.components.tables import ticker
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.state.run import RunState
from etlfabric_ui.state.shell import Shell

State: Any = RunState  # its attributes are Vars, which no type checker knows


def run() -> rx.Component:
    """What it does, stage by stage, with its log."""
    return framed(
        "runs",
        heading(
            rx.fragment(State.pipeline, " › Run ", rx.el.span(State.short, class_name="mono-id")),
            rx.cond(State.loaded, _actions()),
            beside=rx.cond(State.loaded, badge(State.state)),
        ),
        loads(
            State.loaded,
            State.problem,
            rx.el.div(
                _sentence(),
                rx.cond(State.error.kind != "", _failed()),
                _stages(),
                rx.el.div(_parts(), _log(), class_name="run-cols"),
                class_name="stack sections",
            ),
            retry=State.load,
            overview=f"/o/{Shell.org}/overview",
        ),
        ticker(rx.cond(State.live, 1000, 0), State.poll),
    )


def _actions() -> rx.Component:
    cancel = button("Cancel run", "danger", on_click=State.cancel)
    retry = button("Retry", icon_name="rotate-ccw", on_click=State.retry)
    return rx.fragment(
        rx.cond(
            State.live,
            editors_only(cancel, button("Cancel run", refused="Editors can cancel runs.")),
            editors_only(retry, button("Retry", refused="Editors can start runs.")),
        ),
        rx.cond(
            State.state == "succeeded",
            link_button("Browse the data", f"/o/{Shell.org}/data", "primary"),
        ),
    )


def _sentence() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            state_icon(State.state, label=False),
            State.sentence,
            rx.cond(
                State.live & (State.started.iso != ""),
                rx.el.span(
                    rx.el.time(
                        State.started.said,
                        custom_attrs={"dateTime": State.started.iso, "data-tick": "span"},
                    ),
                    class_name="soft",
                ),
            ),
            class_name="row strong",
            role="status",
        ),
        rx.el.p(State.facts, class_name="soft small"),
        class_name="stack tight",
    )


def _failed() -> rx.Component:
    return rx.el.div(
        rx.el.span(icon("circle-x"), class_name="state-icon failed"),
        rx.el.div(
            rx.el.p(State.error.message, class_name="strong"),
            rx.el.p(State.error.remedy),
            rx.el.p("What was loaded before stays as it was.", class_name="soft"),
            class_name="grow stack tight",
        ),
        class_name="notice red",
        role="alert",
    )


def _stages() -> rx.Component:
    return rx.el.div(
        rx.foreach(
            State.stages,
            lambda stage: rx.el.div(
                rx.el.span(stage.name, class_name="strong"),
                " ",
                rx.el.span(stage.said, class_name="soft"),
                rx.el.div(rx.el.i(style={"width": stage.width}), class_name=f"bar {stage.state}"),
                class_name="stage",
            ),
        ),
        class_name="stages",
    )


def _part(row: Any) -> rx.Component:
    shape = rx.match(
        row.kind, ("stream", icon("table-2")), ("test", icon("flask-conical")), icon("file-code-2")
    )
    return rx.el.tr(
        rx.el.td(
            rx.el.div(
                state_icon(row.state),
                rx.el.span(shape, class_name="soft icon-cell"),
                rx.el.button(
                    row.name,
                    type="button",
                    class_name="btn linkish plain cut",
                    title=row.name,
                    on_click=State.filter_log("", rx.cond(State.subject == row.name, "", row.name)),
                    custom_attrs={
                        "aria-pressed": rx.cond(State.subject == row.name, "true", "false")
                    },
                ),
                class_name="row",
            ),
            rx.cond(row.note != "", rx.el.div(row.note, class_name="reason")),
        ),
        rx.el.td(row.rows, class_name="num"),
        rx.el.td(row.took, class_name="num"),
    )


def _parts() -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.h2("Streams and dbt models")),
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th("Name", scope="col"),
                        rx.el.th("Rows", class_name="num", scope="col"),
                        rx.el.th("Took", class_name="num", scope="col"),
                    )
                ),
                rx.el.tbody(rx.foreach(State.parts, _part)),
                class_name="table",
            ),
            class_name="scroll",
        ),
        class_name="panel",
    )


def _tab(label: Any, level: str) -> rx.Component:
    return rx.el.button(
        label,
        type="button",
        on_click=State.filter_log(level, State.subject),
        custom_attrs={"aria-pressed": rx.cond(State.level == level, "true", "false")},
        class_name="btn ghost small-btn",
    )


def _line(line: Any) -> rx.Component:
    return rx.el.li(
        rx.el.span(line.at, class_name="t"),
        rx.el.span(line.level, class_name="lv"),
        rx.el.span(
            rx.cond(line.subject != "", rx.el.b(line.subject, "  "), ""),
            line.message,
            class_name="msg",
        ),
        class_name=line.level,
    )


def _log() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.h2("Log"),
            rx.el.div(
                _tab("All", ""),
                _tab(f"Warnings {State.warnings}", "warning"),
                _tab(f"Errors {State.errors}", "error"),
                class_name="row grow",
            ),
            button("Download", "ghost", icon_name="download", on_click=State.download),
        ),
        rx.el.div(
            rx.cond(
                State.older > 0,
                rx.el.p(f"{State.older} older lines are in the download.", class_name="soft pad"),
            ),
            rx.cond(
                State.log.length() > 0,
                rx.el.ol(rx.foreach(State.log, _line)),
                rx.el.p(
                    rx.cond(State.live, "No lines yet. Times are in UTC.", "No lines."),
                    class_name="soft pad",
                ),
            ),
            class_name="log",
            tab_index=0,
            role="region",
            custom_attrs={"data-follow": "", "aria-label": "Log, times in UTC"},
        ),
        class_name="panel",
    )
