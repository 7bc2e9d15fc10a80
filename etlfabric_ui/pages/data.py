"""Data: look at what was loaded and built."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import icon, search
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import empty, loads
from etlfabric_ui.components.tables import pager
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.data import SCHEMAS, DataState

State: Any = DataState  # its attributes are Vars, which no type checker knows


def data() -> rx.Component:
    """Tables on the left, rows on the right."""
    return framed(
        "data",
        heading("Data"),
        loads(
            State.loaded,
            State.problem,
            rx.cond(
                State.table != "",
                rx.el.div(_tables(), _rows(), class_name="work"),
                empty(strings.NO_DATA, strings.NO_DATA_TEXT),
            ),
            retry=State.load,
        ),
    )


def _tables() -> rx.Component:
    def leaf(one: Any) -> rx.Component:
        return rx.el.button(
            icon("table-2"),
            rx.el.span(one.name, class_name="grow cut"),
            rx.el.span(one.rows, class_name="soft small nowrap"),
            type="button",
            class_name="leaf",
            title=one.name,
            on_click=State.open(one.schema + "." + one.name),
            custom_attrs={"aria-current": rx.cond(one.current, "page", "false"), "data-row": ""},
        )

    def schema(name: str) -> rx.Component:
        return rx.el.div(
            rx.el.h3(name, class_name="folder"),
            rx.foreach(
                State.tables, lambda one: rx.cond(one.schema == name, leaf(one), rx.fragment())
            ),
            class_name="tree",
        )

    return rx.el.div(
        search("Search tables", on_change=State.search.debounce(150)),
        *(schema(name) for name in SCHEMAS),
        class_name="stack",
    )


def _head(one: Any) -> rx.Component:
    return rx.el.th(
        one.name,
        rx.el.span(one.type, class_name="type"),
        class_name=rx.cond(one.right, "num", ""),
        scope="col",
    )


def _cell(one: Any) -> rx.Component:
    return rx.el.td(one.text, class_name=one.kind, title=one.text)


def _rows() -> rx.Component:
    return rx.el.div(
        rx.el.h2(State.table),
        rx.el.div(
            rx.el.table(
                rx.el.thead(rx.el.tr(rx.foreach(State.columns, _head))),
                rx.el.tbody(rx.foreach(State.rows, lambda row: rx.el.tr(rx.foreach(row, _cell)))),
                class_name="table cells",
            ),
            class_name="table-wrap",
            tab_index=0,
            role="region",
            custom_attrs={"aria-label": "Rows"},
        ),
        pager(State.shown, State.turn(-1), State.turn(1), State.page_number > 0, State.more),
        class_name="stack grow",
    )
