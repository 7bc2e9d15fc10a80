"""The streams of a pipeline: table, drawer, and the bar of edits that are not saved yet."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, link_button, state_icon
from etlfabric_ui.components.frame import addressed
from etlfabric_ui.components.modal import dialog
from etlfabric_ui.components.panels import announced, empty, loads
from etlfabric_ui.components.streams import stream_drawer, stream_table
from etlfabric_ui.components.tables import differences
from etlfabric_ui.pages.framed import editors_only
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.pipeline_streams import PipelineStreams
from etlfabric_ui.state.shell import Shell

State: Any = PipelineStreams  # its attributes are Vars, which no type checker knows
Head: Any = PipelineState
READ_ONLY = editors_only(rx.cond(State.stale, strings.STALE, ""), strings.EDITORS_CHANGE_PIPELINES)


def streams_tab() -> rx.Component:
    """What is loaded, and how."""
    nothing = empty(
        strings.LOADS_NOTHING,
        rx.el.p(strings.LOADS_NOTHING_TEXT.format(selector=""), rx.el.code(Head.selector)),
    )
    never = empty(
        strings.NO_STREAMS,
        strings.NEVER_FOUND,
        [
            link_button(
                "Open the connection", f"/o/{Shell.org}/connections/{Head.connection}?tab=streams"
            )
        ],
    )
    table = rx.el.div(
        announced(State.receipt),
        rx.cond(State.stale, _stale()),
        stream_table(State, refused=READ_ONLY, loads=True),
        rx.cond((State.edited > 0) | (State.refused.kind != ""), _edits()),
        class_name="stack loose",
    )
    content = rx.cond(State.loads, rx.cond(State.found > 0, table, never), nothing)
    return rx.fragment(
        loads(State.loaded, State.problem, content, retry=State.load),
        addressed(State.query),
        stream_drawer(
            State,
            rx.cond(State.detail.name != State.reloading, _actions()),
            refused=READ_ONLY,
        ),
        dialog(
            State.reloading != "",
            rx.fragment("Reload ", State.reloading, " from the start?"),
            State.ask_reload(""),
            rx.el.p(State.reload_says),
            rx.el.div(
                button("Cancel", on_click=State.ask_reload("")),
                button(
                    rx.el.span("Reload ", State.reloading), "danger final", on_click=State.reload
                ),
                class_name="foot-actions end",
            ),
        ),
    )


def _stale() -> rx.Component:
    again = button(
        rx.cond(State.busy == "discover", rx.el.span("Reading …"), rx.el.span("Refresh")),
        icon_name="refresh-cw",
        busy=State.busy != "",
        on_click=State.refresh,
    )
    no_again = button("Refresh", icon_name="refresh-cw", refused=strings.EDITORS_LOOK)
    return rx.el.div(
        rx.el.p(strings.STALE, class_name="grow"),
        editors_only(again, no_again),
        class_name="notice amber",
    )


def _actions() -> rx.Component:
    one = State.detail.name
    return rx.el.div(
        button(
            rx.el.span("Run only ", one),
            icon_name="play",
            refused=editors_only("", strings.EDITORS_RUN),
            on_click=State.run_one(one),
        ),
        button(
            "Load again from the start",
            "danger",
            icon_name="rotate-ccw",
            refused=editors_only("", strings.EDITORS_CHANGE_PIPELINES),
            on_click=State.ask_reload(one),
        ),
        class_name="foot-actions",
    )


def _edits() -> rx.Component:
    save = button(
        rx.cond(State.busy == "save", rx.el.span("Saving …"), rx.el.span("Save")),
        "primary",
        busy=State.busy != "",
        refused=rx.cond(State.refused.kind != "", State.refused.message, ""),
        on_click=State.save,
    )
    return rx.el.section(
        rx.cond(
            State.refused.kind != "",
            rx.el.div(
                state_icon("failed", label=False),
                rx.el.p(State.refused.message, " ", State.refused.remedy),
                class_name="row",
                role="alert",
            ),
        ),
        differences(State.conflict),
        rx.el.p(
            rx.cond(State.edited == 1, "1 change. ", f"{State.edited} changes. "),
            class_name="strong",
        ),
        rx.el.ul(rx.foreach(State.effects, lambda said: rx.el.li(said)), class_name="stack tight"),
        rx.el.div(
            button(
                rx.cond(
                    State.refused.code == "edited_meanwhile",
                    rx.el.span(strings.TAKE_THEIRS),
                    rx.el.span("Discard"),
                ),
                on_click=State.discard,
            ),
            rx.cond(
                State.refused.code == "edited_meanwhile",
                button(strings.SAVE_OVER, on_click=State.save_over),
                editors_only(save, rx.fragment()),
            ),
            class_name="foot-actions",
        ),
        class_name="notice column edits",
        custom_attrs={"aria-label": "Changes that are not saved", "data-unsaved": ""},
    )
