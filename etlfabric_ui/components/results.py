"""Rows of a result, and two texts side by side."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import icon


def result_table(columns: Any, rows: Any, label: str) -> rx.Component:
    """A plain table; types in the head, numbers to the right."""
    return rx.el.div(
        rx.el.table(
            rx.el.caption(label, class_name="sr"),
            rx.el.thead(rx.el.tr(rx.foreach(columns, _head))),
            rx.el.tbody(rx.foreach(rows, lambda row: rx.el.tr(rx.foreach(row, _cell)))),
            class_name="table cells",
        ),
        class_name="table-wrap",
        tab_index=0,
        role="region",
        custom_attrs={"aria-label": label},
    )


def diff_table(rows: Any, left: Any, right: Any) -> rx.Component:
    """Changed lines of two texts, side by side; one below the other on a phone."""

    def line(row: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(row.left_number, class_name="at"),
            rx.el.td(_sign(row.kind, "removed", "−"), row.left, class_name="left"),
            rx.el.td(row.right_number, class_name="at"),
            rx.el.td(_sign(row.kind, "added", "+"), row.right, class_name="right"),
            class_name=row.kind,
        )

    return rx.el.div(
        rx.el.table(
            rx.el.colgroup(*(rx.el.col(class_name=kind) for kind in ("at", "", "at", ""))),
            rx.el.thead(
                rx.el.tr(
                    rx.el.th(left, col_span=2, scope="col"),
                    rx.el.th(right, col_span=2, scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(rows, line)),
            class_name="diff",
        ),
        class_name="table-wrap",
        tab_index=0,
        role="region",
        custom_attrs={"aria-label": "Differences"},
    )


def closes(label: str, **props: Any) -> rx.Component:
    """The cross in a drawer's or panel's corner."""
    return rx.el.button(
        icon("x"),
        class_name="btn ghost icon",
        type="button",
        custom_attrs={"aria-label": label},
        **props,
    )


def _sign(kind: Any, only: str, sign: str) -> rx.Component:
    """Color never alone."""
    return rx.cond((kind == only) | (kind == "changed"), rx.el.span(f"{sign} ", class_name="sign"))


def _head(one: Any) -> rx.Component:
    return rx.el.th(
        one.name,
        rx.el.span(one.type, class_name="type"),
        class_name=rx.cond(one.right, "num", ""),
        scope="col",
    )


def _cell(one: Any) -> rx.Component:
    return rx.el.td(one.text, class_name=one.kind, title=one.text)
