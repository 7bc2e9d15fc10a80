"""The list of runs: filters above, a page of rows, and what can be done with those one ticks."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, link_button, unless
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.modal import dialog
from etlfabric_ui.components.panels import empty, loads, no_match
from etlfabric_ui.components.tables import LIVE_MS, choose, state_words, table, ticker
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.pages.run_rows import HEADS, run_cells
from etlfabric_ui.state.runs import RunsState
from etlfabric_ui.state.shell import Shell

State: Any = RunsState  # its attributes are Vars, which no type checker knows
STATES = ("", "running", "queued", "succeeded", "failed", "canceled")


def runs() -> rx.Component:
    """What ran, newest first."""
    return framed(
        "runs",
        heading("Runs"),
        loads(
            State.loaded,
            State.problem,
            rx.cond(
                State.filtered | (State.rows.length() > 0),
                rx.el.div(
                    _toolbar(),
                    rx.cond(State.rows.length() > 0, _table(), no_match("runs", State.clear)),
                    _pages(),
                    rx.cond(State.selected.length() > 0, _actions()),
                    class_name="stack loose",
                ),
                empty(strings.NO_RUNS, strings.NO_RUNS_TEXT),
            ),
            retry=State.load,
        ),
        addressed(State.query),
        ticker(LIVE_MS, State.poll),
        _cancel_question(),
    )


def _toolbar() -> rx.Component:
    return rx.el.div(
        choose("Status", State.status, state_words(STATES), _filter("status")),
        rx.el.select(
            rx.el.option("Any pipeline", value=""),
            rx.foreach(State.pipelines, lambda name: rx.el.option(name, value=name)),
            value=State.pipeline,
            on_change=_filter("pipeline"),
            class_name="select auto cut",
            custom_attrs={"aria-label": "Pipeline"},
        ),
        choose("Trigger", State.trigger, strings.TRIGGERS, _filter("trigger")),
        choose("Time", State.since, strings.SPANS, _filter("since")),
        rx.cond(
            State.waiting != "",
            button(State.waiting, on_click=State.show_new, custom_attrs={"aria-live": "polite"}),
        ),
        class_name="toolbar",
    )


def _filter(name: str) -> Any:
    return lambda value: State.filter(name, value)


def _table() -> rx.Component:
    every = _tick(
        "Select all runs of this page",
        State.selected.length() == State.rows.length(),
        State.select_all,
    )

    def row(one: Any) -> rx.Component:
        tick = _tick(
            f"Select run {one.short} of {one.pipeline}",
            State.selected.contains(one.id),
            lambda on: State.select(one.id, on),
        )
        return run_cells(one, rx.el.td(tick, class_name="not-narrow"))

    return table([(every, "not-narrow"), *HEADS], rx.foreach(State.rows, row), "Runs")


def _tick(label: str, on: Any, on_change: Any) -> rx.Component:
    """For a viewer it stands there with the reason why it cannot be set."""
    return rx.el.input(
        type="checkbox",
        class_name="check",
        checked=on,
        on_change=on_change,
        **unless(editors_only("", strings.EDITORS_SELECT), **{"aria-label": label}),
    )


def _pages() -> rx.Component:
    base = f"/o/{Shell.org}/runs"
    return rx.el.div(
        rx.cond(State.cursor != "", link_button("Newest", f"{base}?{State.newest}")),
        rx.cond(State.older != "", link_button("Older", f"{base}?{State.older}")),
        class_name="row",
    )


def _actions() -> rx.Component:
    """What can be done with those that are ticked; how many of them each would reach."""
    retry = button(
        rx.cond(State.ended == 0, "Retry", f"Retry {State.ended}"),
        "primary",
        icon_name="rotate-ccw",
        refused=rx.cond(State.ended == 0, strings.NONE_ENDED, ""),
        busy=State.busy != "",
        on_click=State.retry,
    )
    cancel = button(
        rx.cond(State.going == 0, "Cancel", f"Cancel {State.going}"),
        icon_name="circle-slash",
        refused=rx.cond(State.going == 0, strings.NONE_GOING, ""),
        busy=State.busy != "",
        on_click=State.ask_cancel(True),
    )
    return rx.el.div(
        rx.el.span(State.selected.length(), " selected", class_name="strong"),
        editors_only(rx.fragment(retry, cancel), rx.fragment()),
        button("Deselect", "ghost", on_click=State.select_all(False)),
        class_name="notice edits row wide",
        role="region",
        custom_attrs={"aria-label": "Selected runs"},
    )


def _cancel_question() -> rx.Component:
    said = rx.cond(State.going == 1, "1 run", f"{State.going} runs")
    return dialog(
        State.asking,
        rx.fragment("Cancel ", said, "?"),
        State.ask_cancel(False),
        rx.el.p(strings.CANCEL_TEXT),
        rx.el.div(
            button("Keep running", on_click=State.ask_cancel(False)),
            button(rx.el.span("Cancel ", said), "danger", on_click=State.cancel),
            class_name="foot-actions end",
        ),
    )
