"""A run, live: the page people watch."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import ONCE, badge, button, icon, link_button, state_icon
from etlfabric_ui.components.frame import heading, titled
from etlfabric_ui.components.panels import copies, loads, notice, refusal
from etlfabric_ui.components.tables import ticker
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.pages.run_log import log
from etlfabric_ui.state.run import RunState
from etlfabric_ui.state.shell import Shell

State: Any = RunState  # its attributes are Vars, which no type checker knows


def run() -> rx.Component:
    """What it does, stage by stage, with its log."""
    return framed(
        "runs",
        rx.cond(
            State.loaded,
            titled(rx.match(State.state, *strings.STATES.items(), ""), State.pipeline),
        ),
        heading(
            rx.fragment(
                rx.cond(State.pipeline != "", f"{State.pipeline} › ", ""),
                "Run ",
                rx.el.span(State.short, class_name="mono-id"),
            ),
            rx.cond(State.loaded, _actions()),
            beside=rx.cond(State.loaded, badge(State.state)),
        ),
        loads(
            State.loaded,
            State.problem,
            rx.el.div(
                rx.cond(State.error.kind != "", _failed()),
                _sentence(),
                rx.cond(State.first != "", _first()),
                _stages(),
                _panes(),
                class_name="stack sections",
            ),
            retry=State.load,
            overview=f"/o/{Shell.org}/overview",
        ),
        ticker(rx.cond(State.live, 1000, 0), State.poll),
    )


def _actions() -> rx.Component:
    retry = button("Retry", icon_name="rotate-ccw", on_click=State.retry, custom_attrs=ONCE)
    return rx.fragment(
        _neighbor(State.before, "Previous run", "chevron-left", "["),
        _neighbor(State.after, "Next run", "chevron-right", "]"),
        rx.cond(
            State.live,
            editors_only(_cancel(), button("Cancel run", refused="Editors can cancel runs.")),
            rx.cond(
                State.error.kind == "",
                editors_only(retry, button("Retry", refused="Editors can start runs.")),
            ),
        ),
        rx.cond(
            (State.state == "succeeded") & (State.first == ""),
            link_button("Browse data", f"/o/{Shell.org}/data", "primary"),
        ),
        rx.cond(
            Shell.is_operator & (State.dagster != ""),
            rx.el.a(
                "Open in Dagster",
                icon("external-link"),
                href=State.dagster,
                target="_blank",
                rel="noopener",
                class_name="btn",
            ),
        ),
    )


def _neighbor(run_id: Any, label: str, shape: str, key: str) -> rx.Component:
    return rx.cond(
        run_id != "",
        rx.link(
            icon(shape),
            href=f"/o/{Shell.org}/runs/{run_id}",
            class_name="btn ghost icon",
            unstyled=True,
            title=f"{label}  {key}",
            custom_attrs={"aria-label": label, "data-key": key},
        ),
    )


def _cancel() -> rx.Component:
    """Asks first, and says what stays."""
    return rx.alert_dialog.root(
        rx.alert_dialog.trigger(button("Cancel run", "danger")),
        rx.alert_dialog.content(
            rx.alert_dialog.title(strings.CANCEL_QUESTION, size="3"),
            rx.alert_dialog.description(strings.CANCEL_TEXT, size="2"),
            rx.el.div(
                rx.alert_dialog.cancel(button("Keep running")),
                rx.alert_dialog.action(button("Cancel run", "danger", on_click=State.cancel)),
                class_name="foot-actions",
                style={"padding_top": "16px", "justify_content": "flex-end"},
            ),
            max_width="480px",
        ),
    )


def _sentence() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            state_icon(State.state, label=False),
            rx.el.span(
                State.sentence,
                rx.cond(
                    (State.state == "running") & (State.started.iso != ""),
                    rx.fragment(" ", _ticking(State.started, "span")),
                ),
            ),
            rx.cond(State.warned != "", rx.el.span(State.warned, class_name="badge warning")),
            class_name="row strong",
            role="status",
        ),
        rx.el.p(
            State.facts,
            rx.cond(
                State.live & (State.heard.iso != ""),
                rx.fragment(" · last event ", _ticking(State.heard, "ago")),
            ),
            class_name="soft small",
        ),
        rx.cond(State.quiet != "", rx.el.p(State.quiet, class_name="soft small")),
        rx.cond(
            State.lost != "",
            rx.el.div(
                rx.el.span(icon("triangle-alert"), class_name="state-icon lost"),
                rx.el.p(State.lost),
                class_name="notice blue",
            ),
        ),
        class_name="stack tight",
    )


def _ticking(moment: Any, kind: str) -> rx.Component:
    return rx.el.time(
        moment.said,
        title=moment.full,
        custom_attrs={"dateTime": moment.iso, "data-tick": kind},
    )


def _failed() -> rx.Component:
    """The error and its way out; the log below stands at its first error."""
    retry = button("Retry", icon_name="rotate-ccw", on_click=State.retry, custom_attrs=ONCE)
    return refusal(
        State.error,
        rx.cond(
            State.error.href != "", link_button(State.error.action, State.error.href, "primary")
        ),
        copies(State.error),
        editors_only(retry, button("Retry", refused=strings.EDITORS_RUN)),
    )


def _first() -> rx.Component:
    """After the first good run of an org: what to do with the data."""
    return notice(
        "",
        State.first,
        link_button("Browse the data", f"/o/{Shell.org}/data", "primary"),
        link_button("Write a dbt model", f"/o/{Shell.org}/dbt-models"),
        link_button("Invite a colleague", f"/o/{Shell.org}/settings/members"),
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


def _panes() -> rx.Component:
    """Side by side; on a phone one of them, by its tab."""
    return rx.el.div(
        rx.el.div(
            _pane("streams", "Streams", "true"), _pane("log", "Log", "false"), class_name="tabs"
        ),
        rx.el.div(_parts(), log(), class_name="run-cols"),
        class_name="panes stack",
        custom_attrs={"data-panes": "streams"},
    )


def _pane(name: str, label: str, pressed: str) -> rx.Component:
    return rx.el.button(
        label,
        type="button",
        custom_attrs={"data-do": "pane", "data-pane": name, "aria-pressed": pressed},
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
                    on_click=State.filter_log(
                        State.level, rx.cond(State.subject == row.name, "", row.name)
                    ),
                    custom_attrs={
                        "aria-pressed": rx.cond(State.subject == row.name, "true", "false")
                    },
                ),
                class_name="row",
            ),
            rx.cond(row.note != "", rx.el.div(row.note, class_name="reason")),
        ),
        rx.el.td(
            row.rows,
            rx.cond(row.of != "", rx.el.div(row.of, class_name="soft small")),
            rx.cond(
                row.state == "running",
                rx.el.div(
                    rx.el.i(style={"width": row.width}),
                    class_name=rx.cond(row.width != "", "bar", "bar unknown"),
                ),
            ),
            class_name="num",
        ),
        rx.el.td(row.took, class_name="num"),
    )


def _parts() -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.h2("Streams and dbt models", class_name="grow")),
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
        rx.cond(
            State.parts_shown != "",
            rx.el.div(
                rx.el.span(State.parts_shown, class_name="soft grow"),
                button("Previous", "ghost", on_click=State.turn_parts(-1)),
                button("Next", "ghost", on_click=State.turn_parts(1)),
                class_name="row pad",
            ),
        ),
        class_name="panel",
    )
