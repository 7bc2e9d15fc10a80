"""Data: the rows of a table."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button, icon
from etlfabric_ui.components.panels import no_match
from etlfabric_ui.components.results import closes
from etlfabric_ui.components.tables import pager
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.data import DataState

State: Any = DataState  # its attributes are Vars, which no type checker knows


def rows() -> rx.Component:
    """A page of the table, in an order and by filters that one chooses."""
    return rx.el.div(
        _filter_bar(),
        rx.cond(
            State.rows.length() > 0,
            rx.el.div(
                rx.el.table(
                    rx.el.caption("Rows", class_name="sr"),
                    rx.el.thead(rx.el.tr(rx.foreach(State.shown_columns, _column_head))),
                    rx.el.tbody(rx.foreach(State.rows, _row)),
                    class_name="table cells cards",
                ),
                class_name="table-wrap",
                tab_index=0,
                role="region",
                custom_attrs={"aria-label": "Rows"},
            ),
            rx.cond(State.error.kind == "", _none()),
        ),
        pager(State.shown, State.turn(-1), State.turn(1), State.page_number > 0, State.more),
        rx.cond(State.columns_said != "", _column_pager()),
        class_name="stack",
    )


def cell_drawer() -> rx.Component:
    """One value, whole."""
    return rx.el.aside(
        rx.el.div(
            rx.el.h2(State.cell_title),
            closes("Close", on_click=State.close_cell, auto_focus=True),
            class_name="row between",
        ),
        rx.el.pre(State.cell_text, class_name="snippet whole", tab_index=0),
        rx.el.div(
            button(
                "Copy",
                icon_name="copy",
                custom_attrs={"data-do": "copy", "data-copy": State.cell_text},
            )
        ),
        class_name="drawer",
        custom_attrs={"aria-label": State.cell_title},
    )


def _none() -> rx.Component:
    return rx.cond(
        State.chips.length() > 0,
        no_match("rows", State.drop_filter("")),
        rx.el.p(copy.NO_ROWS_HERE, class_name="soft pad"),
    )


def _filter_bar() -> rx.Component:
    return rx.el.div(
        rx.el.form(
            rx.el.select(
                rx.foreach(State.columns, lambda one: rx.el.option(one.name, value=one.name)),
                name="column",
                class_name="select auto",
                custom_attrs={"aria-label": "Filter by column"},
            ),
            rx.el.select(
                *(rx.el.option(said, value=key) for key, said in copy.FILTERS.items()),
                name="kind",
                class_name="select auto",
                custom_attrs={"aria-label": "How"},
            ),
            rx.el.input(
                name="value",
                class_name="input auto",
                auto_complete="off",
                custom_attrs={"aria-label": "Value"},
            ),
            button("Filter", type="submit"),
            on_submit=State.add_filter,
            class_name="toolbar",
        ),
        rx.foreach(
            State.chips,
            lambda one: rx.el.span(
                one.said,
                closes("Remove filter", on_click=State.drop_filter(one.column)),
                class_name="row chip",
            ),
        ),
        class_name="toolbar",
    )


def _column_head(one: Any) -> rx.Component:
    sorted_by = State.order_by == one.name
    return rx.el.th(
        rx.el.button(
            one.name,
            rx.el.span(one.type, class_name="type"),
            rx.cond(
                sorted_by,
                rx.cond(State.descending, icon("arrow-down"), icon("arrow-up")),
            ),
            type="button",
            class_name="sort",
            on_click=State.sort(one.name),
        ),
        class_name=rx.cond(one.right, "num", ""),
        scope="col",
        custom_attrs={
            "aria-sort": rx.cond(
                sorted_by, rx.cond(State.descending, "descending", "ascending"), "none"
            )
        },
    )


def _row(cells: Any, at: Any) -> rx.Component:
    return rx.el.tr(
        rx.foreach(
            cells,
            lambda one, n: rx.el.td(
                rx.el.span(State.shown_columns[n].name, class_name="only-narrow soft small"),
                rx.el.span(
                    one.text,
                    on_click=State.open_cell(at, n),
                    class_name="value",
                    title=one.text,
                ),
                class_name=one.kind,
            ),
        )
    )


def _column_pager() -> rx.Component:
    """A wide table is read fifty columns at a time."""
    return rx.el.div(
        rx.el.span(State.columns_said),
        rx.el.div(
            rx.cond(
                State.first_column > 0,
                button("Previous columns", on_click=State.turn_columns(-1)),
            ),
            rx.cond(State.more_columns, button("Next columns", on_click=State.turn_columns(1))),
            class_name="row",
        ),
        class_name="pager",
    )
