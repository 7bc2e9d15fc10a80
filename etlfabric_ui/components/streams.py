"""Choosing how streams load: toolbar, table and drawer, for any state with a `StreamTable`."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import (
    button,
    exact,
    icon,
    search,
    state_icon,
    time,
    unless,
)
from etlfabric_ui.components.modal import drawer
from etlfabric_ui.components.panels import announced, no_match
from etlfabric_ui.components.tables import choose, pager, table
from etlfabric_ui.formats import NBSP

POLICIES = (("keep", "Keep"), ("hash", "Hash"), ("mask", "Mask"), ("drop", "Drop"))
NAMES = tuple((key, name) for key, (name, _) in strings.LOAD_MODES.items())
LABELS = {key: f"{name}: {what}" for key, (name, what) in strings.LOAD_MODES.items()}


def stream_table(state: Any, *, refused: Any = "", loads: bool = False) -> rx.Component:
    """Toolbar, table and pages.

    Args:
        refused: why nothing of what is shown can be chosen.
        loads: with the result, rows and freshness of each stream's last load.
    """
    heads = [("", ""), ("Stream", ""), ("Load mode", ""), ("Key", "not-narrow")]
    heads += [("Cursor", "not-narrow"), ("Columns", "num not-narrow")]
    heads += [("Rows, about", "num not-narrow")]
    if loads:
        heads += [("Last load", "num not-narrow"), ("Fresh", "not-narrow")]
    rows = rx.foreach(state.streams, lambda row: _row(state, row, refused, loads))
    nothing = no_match("streams", state.filter_streams("", "all"))
    return rx.el.div(
        _toolbar(state, refused),
        announced(state.said, class_name="soft"),
        rx.cond(state.streams.length() > 0, table([*heads, ("", "num")], rows, "Streams"), nothing),
        pager(
            f"{exact(state.matching)}{NBSP}of{NBSP}{exact(state.found)} shown, "
            f"{exact(state.chosen)} selected",
            state.turn(-1),
            state.turn(1),
            state.page_number > 0,
            state.page_number + 1 < state.pages,
        ),
        class_name="stack loose",
    )


def stream_drawer(state: Any, *actions: rx.Component, refused: Any = "") -> rx.Component:
    """Everything about one stream, to read only if `refused`; `actions` stand at its end."""
    one = state.detail
    return drawer(
        state.drawer,
        one.name,
        state.close_stream,
        rx.cond(one.problem != "", _problem(one.problem)),
        rx.el.fieldset(
            rx.el.legend("Load mode"),
            rx.foreach(one.modes, lambda mode: _mode(state, one, mode, refused)),
            class_name="field",
        ),
        rx.cond(one.cursors.length() > 0, _cursor(state, one, refused)),
        _columns(state, one, refused),
        rx.el.p("Loads into ", rx.el.code(one.table), class_name="soft"),
        *actions,
    )


def _toolbar(state: Any, refused: Any) -> rx.Component:
    def show(key: str, label: Any) -> rx.Component:
        return button(
            label,
            "ghost small-btn",
            on_click=state.filter_streams(state.stream_query, key),
            custom_attrs={"aria-pressed": rx.cond(state.only == key, "true", "false")},
        )

    bulk = rx.el.div(
        button(
            rx.el.span("Select all ", exact(state.matching)),
            refused=refused,
            on_click=state.select_matching(True),
        ),
        button("Deselect", refused=refused, on_click=state.select_matching(False)),
        choose(
            "Load mode of all selected that are shown",
            "",
            [("", "Set load mode …"), *NAMES],
            state.set_mode_matching,
            refused=refused,
        ),
        class_name="row wide-gap",
    )
    return rx.el.div(
        search(
            "Name or column",
            default_value=state.stream_query,
            on_change=lambda q: state.filter_streams(q, state.only).debounce(150),
        ),
        rx.el.div(
            show("all", rx.el.span("All ", exact(state.found))),
            show("selected", rx.el.span("Selected ", exact(state.chosen))),
            rx.cond(
                state.attention > 0,
                show("attention", rx.el.span("Needs attention ", exact(state.attention))),
            ),
            class_name="row",
        ),
        bulk,
        class_name="toolbar",
    )


def _row(state: Any, row: Any, refused: Any, loads: bool) -> rx.Component:
    tick = rx.el.input(
        type="checkbox",
        class_name="check",
        checked=row.selected,
        on_change=lambda checked: state.select(row.name, checked),
        **unless(refused, **{"aria-label": f"Load {row.name}"}),
    )
    return rx.el.tr(
        rx.el.td(tick),
        rx.el.td(
            rx.el.button(
                row.name,
                type="button",
                class_name="btn linkish plain name",
                on_click=state.open_stream(row.name),
                custom_attrs={"data-row": "", "aria-haspopup": "dialog"},
            ),
            rx.cond(row.edited, rx.el.span(" changed", class_name="soft small")),
            rx.cond(row.note != "", rx.el.div(row.note, class_name="reason bad")),
        ),
        rx.el.td(_row_mode(state, row, refused)),
        rx.el.td(row.key, class_name="not-narrow"),
        rx.el.td(_row_cursor(state, row, refused), class_name="not-narrow"),
        rx.el.td(row.columns, class_name="num not-narrow"),
        rx.el.td(row.rows, class_name="num not-narrow"),
        *_last_load(row, loads),
        rx.el.td(
            button(
                rx.fragment(),
                "ghost icon",
                icon_name="chevron-right",
                on_click=state.open_stream(row.name),
                custom_attrs={"aria-label": f"Open {row.name}", "aria-haspopup": "dialog"},
            ),
            class_name="num",
        ),
    )


def _row_mode(state: Any, row: Any, refused: Any) -> rx.Component:
    return rx.el.select(
        rx.foreach(
            row.modes,
            lambda mode: rx.el.option(rx.match(mode, *NAMES, mode), value=mode),
        ),
        value=row.mode,
        on_change=lambda mode: state.set_mode(row.name, mode),
        class_name="select",
        **unless(
            refused,
            rx.match(row.mode, *LABELS.items(), ""),
            **{"aria-label": f"Load mode of {row.name}"},
        ),
    )


def _row_cursor(state: Any, row: Any, refused: Any) -> rx.Component:
    return rx.cond(
        row.cursor != "",
        rx.el.select(
            rx.foreach(row.cursors, lambda name: rx.el.option(name, value=name)),
            value=row.cursor,
            on_change=lambda name: state.set_cursor(row.name, name),
            class_name="select auto",
            **unless(refused, **{"aria-label": f"Cursor of {row.name}"}),
        ),
        rx.el.span("—", class_name="soft"),
    )


def _last_load(row: Any, loads: bool) -> list[rx.Component]:
    if not loads:
        return []
    return [
        rx.el.td(
            rx.cond(
                row.result != "",
                rx.el.span(state_icon(row.result), row.loaded, class_name="row right"),
                rx.el.span("—", class_name="soft"),
            ),
            class_name="num not-narrow",
        ),
        rx.el.td(time(row.fresh), class_name="not-narrow"),
    ]


def _problem(said: Any) -> rx.Component:
    return rx.el.div(
        rx.el.span(icon("triangle-alert"), class_name="state-icon warning"),
        rx.el.p(said),
        class_name="notice amber",
        role="alert",
    )


def _mode(state: Any, one: Any, mode: Any, refused: Any) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="mode",
            value=mode.key,
            checked=one.mode == mode.key,
            on_change=state.set_mode(one.name, mode.key),
            **unless(rx.cond(refused, refused, mode.refused)),
        ),
        rx.el.span(
            rx.el.span(mode.name, class_name="strong"),
            " ",
            rx.el.span(rx.cond(mode.refused != "", mode.refused, mode.says), class_name="soft"),
        ),
        class_name="radio",
    )


def _cursor(state: Any, one: Any, refused: Any) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.label("Cursor", html_for="stream-cursor"),
            rx.el.select(
                rx.foreach(one.cursors, lambda name: rx.el.option(name, value=name)),
                id="stream-cursor",
                value=one.cursor,
                on_change=lambda name: state.set_cursor(one.name, name),
                class_name="select",
                **unless(refused),
            ),
            class_name="field grow",
        ),
        rx.el.div(
            rx.el.label(
                "Start at ",
                rx.el.span("(optional)", class_name="optional"),
                html_for="stream-start",
            ),
            rx.el.input(
                id="stream-start",
                key=one.name,
                default_value=one.start,
                read_only=rx.cond(refused, True, False),
                on_blur=lambda text: state.start_at(one.name, text),
                class_name="input",
                auto_complete="off",
                **unless(refused),
            ),
            class_name="field grow",
        ),
        class_name="row wide",
    )


def _columns(state: Any, one: Any, refused: Any) -> rx.Component:
    def column(of: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(
                rx.el.div(of.name, class_name="strong wrap"),
                rx.el.div(
                    of.type,
                    rx.cond(of.sample != "", rx.fragment(" · ", of.sample)),
                    class_name="reason wrap",
                ),
                rx.cond(
                    of.hint != "",
                    button(
                        of.hint,
                        "linkish small",
                        refused=refused,
                        on_click=state.set_policy(one.name, of.name, "hash"),
                    ),
                ),
            ),
            rx.el.td(
                rx.el.input(
                    type="checkbox",
                    class_name="check",
                    checked=of.is_key,
                    on_change=state.toggle_key(one.name, of.name),
                    **unless(refused, **{"aria-label": f"{of.name} is part of the key"}),
                )
            ),
            rx.el.td(
                rx.el.select(
                    *(rx.el.option(label, value=key) for key, label in POLICIES),
                    value=of.policy,
                    on_change=lambda policy: state.set_policy(one.name, of.name, policy),
                    class_name="select auto small-select",
                    **unless(refused, **{"aria-label": f"Policy of {of.name}"}),
                )
            ),
        )

    heads = [("Column", ""), ("Key", ""), ("Policy", "")]
    return rx.cond(
        one.columns.length() > 0,
        rx.el.div(
            rx.el.h3("Columns"),
            rx.cond(state.values_said != "", rx.el.p(state.values_said, class_name="soft")),
            table(heads, rx.foreach(one.columns, column), f"Columns of {one.name}"),
            rx.cond(one.more != "", rx.el.p(one.more, class_name="soft")),
            class_name="stack",
        ),
        rx.el.p("Its columns show with the first load.", class_name="soft"),
    )
