"""Data: the profile of a table."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button
from etlfabric_ui.components.panels import refusal
from etlfabric_ui.components.tables import table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.data import DataState
from etlfabric_ui.state.data_profile import ProfileState

State: Any = ProfileState  # its attributes are Vars, which no type checker knows
Table: Any = DataState


def profile() -> rx.Component:
    """Of a sample first; of the whole table when one asks."""

    def row(one: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(one.name, rx.el.br(), rx.el.span(one.type, class_name="soft small")),
            rx.el.td(one.nulls, class_name="num"),
            rx.el.td(one.distinct, class_name="num"),
            rx.el.td(one.least, class_name="mono end not-narrow"),
            rx.el.td(one.greatest, class_name="mono end not-narrow"),
            rx.el.td(
                rx.foreach(one.top, lambda text: rx.el.div(text, class_name="cut")),
                class_name="mono end not-narrow",
            ),
        )

    heads = [("Column", ""), ("NULL", "num"), ("Distinct", "num"), ("Least", "not-narrow")]
    heads += [("Greatest", "not-narrow"), ("Most frequent", "not-narrow")]
    return rx.el.div(
        rx.cond(State.problem.kind != "", refusal(State.problem)),
        rx.cond(
            State.busy == "profile",
            rx.el.p(
                copy.PROFILING,
                button("Stop", on_click=State.stop),
                class_name="row soft",
                role="status",
            ),
            rx.el.div(
                rx.el.span(State.said, class_name="soft", role="status"),
                rx.cond(
                    State.said == "",
                    rx.cond(
                        State.problem.kind != "",
                        button(strings.TRY_AGAIN, "primary", on_click=State.look(False)),
                        button("Profile a sample", "primary", on_click=State.look(False)),
                    ),
                    rx.cond(State.sampled, button(copy.WHOLE_TABLE, on_click=State.look(True))),
                ),
                class_name="row wide",
            ),
        ),
        rx.cond(
            State.rows.length() > 0,
            table(heads, rx.foreach(State.rows, row), "Profile"),
        ),
        class_name="stack",
        key=Table.table,  # another table is looked at anew
        on_mount=State.look(False),
    )
