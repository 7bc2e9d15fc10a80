"""Lineage: four bands from connection to marts, or the same facts as a list."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.elements import (
    badge,
    button,
    icon,
    link_button,
    search,
    state_icon,
    time,
)
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.panels import empty, loads, no_match
from etlfabric_ui.components.results import closes
from etlfabric_ui.components.tables import table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.lineage import LineageState
from etlfabric_ui.state.shell import Shell

State: Any = LineageState  # its attributes are Vars, which no type checker knows


def lineage() -> rx.Component:
    """The page."""
    unmatched = no_match("tables", _look(focus="", only="", pipeline=""))
    return framed(
        "lineage",
        heading(copy.LINEAGE),
        loads(
            State.loaded,
            State.problem,
            rx.cond(
                State.total > 0,
                rx.el.div(
                    _toolbar(),
                    rx.cond(State.folded, rx.el.p(copy.FOLDED_NOTE, class_name="soft")),
                    rx.cond(State.nodes.length() > 0, _views(), unmatched),
                    _drawer(),
                    class_name="stack loose",
                ),
                empty(strings.NO_LINEAGE),
            ),
            retry=State.load,
            overview=routes.to(routes.OVERVIEW, org_slug=Shell.org),
        ),
        addressed(State.address),
    )


def _look(**other: Any) -> Any:
    now = {
        "focus": State.focus,
        "hops": State.hops,
        "only": State.only,
        "pipeline": State.pipeline,
    }
    return State.look(*(now | other).values())


def _toolbar() -> rx.Component:
    return rx.el.div(
        _finder(),
        rx.cond(State.focus != "", _focus()),
        _only("failed", "Failing"),
        _only("late", "Late"),
        rx.cond(
            State.pipelines.length() > 1,
            rx.el.select(
                rx.el.option("Every pipeline", value=""),
                rx.foreach(State.pipelines, lambda one: rx.el.option(one, value=one)),
                value=State.pipeline,
                on_change=lambda name: _look(pipeline=name),
                class_name="select auto",
                custom_attrs={"aria-label": "Pipeline"},
            ),
        ),
        rx.el.div(
            rx.cond(
                State.as_list,
                rx.fragment(),
                button("Fit", custom_attrs={"data-graph": "fit"}, title="f"),
            ),
            button(
                rx.cond(State.as_list, "Graph", "List"),
                on_click=State.toggle_list,
                title="v",
                custom_attrs={"data-graph": "view"},
            ),
            class_name="row not-narrow push",
        ),
        class_name="toolbar",
    )


def _only(state: str, label: str) -> rx.Component:
    on = State.only == state
    return button(
        label,
        on_click=_look(only=rx.cond(on, "", state)),
        custom_attrs={"aria-pressed": rx.cond(on, "true", "false")},
    )


def _finder() -> rx.Component:
    def match(one: Any) -> rx.Component:
        return rx.el.li(
            rx.el.button(
                one,
                type="button",
                class_name="leaf cut",
                on_click=_look(focus=one),
                custom_attrs={"data-row": ""},
            )
        )

    return rx.el.div(
        search(copy.FIND_TABLE, on_change=State.find.debounce(150)),
        rx.cond(
            State.matches.length() > 0,
            rx.el.ul(rx.foreach(State.matches, match), class_name="matches tree"),
        ),
        class_name="finder",
    )


def _focus() -> rx.Component:
    return rx.fragment(
        rx.el.span(
            "Focus: ",
            rx.el.span(State.focus, class_name="strong"),
            closes("Show all", on_click=_look(focus="")),
            class_name="row nowrap",
        ),
        rx.el.span(
            "Hops",
            _hop("chevron-left", "Fewer hops", -1),
            rx.el.span(State.hops, class_name="strong"),
            _hop("chevron-right", "More hops", 1),
            class_name="row nowrap",
        ),
    )


def _hop(shape: str, label: str, by: int) -> rx.Component:
    return rx.el.button(
        icon(shape),
        type="button",
        class_name="btn ghost icon",
        on_click=_look(hops=State.hops + by),
        custom_attrs={"aria-label": label},
    )


def _views() -> rx.Component:
    return rx.cond(
        State.as_list,
        _list(),
        rx.fragment(
            rx.el.div(_graph(), class_name="not-narrow"),
            rx.el.div(_list(), class_name="only-narrow"),
        ),
    )


def _graph() -> rx.Component:
    def node(one: Any) -> rx.Component:
        return rx.el.button(
            state_icon(one.state),
            rx.el.span(
                rx.el.span(one.shown, class_name="name"),
                rx.cond(one.fresh.iso != "", rx.el.span(time(one.fresh), class_name="soft small")),
                class_name="what",
            ),
            type="button",
            title=one.name,
            on_click=State.open(one.id),
            class_name=rx.cond(one.focus, f"node {one.state} focus", f"node {one.state}"),
            style={"left": one.x, "top": one.y},
            custom_attrs={
                "data-node": one.id,
                "data-up": one.up,
                "data-down": one.down,
                "aria-label": one.said,
                "aria-expanded": rx.cond(State.open_id == one.id, "true", "false"),
            },
        )

    return rx.el.div(
        rx.el.div(
            rx.foreach(
                State.bands,
                lambda one: rx.el.h2(
                    one.title, class_name="band", style={"left": one.x, "width": one.width}
                ),
            ),
            rx.el.svg(
                rx.foreach(
                    State.edges,
                    lambda one: rx.el.path(
                        d=one.path,
                        custom_attrs={"data-from": one.source, "data-to": one.target},
                    ),
                ),
                custom_attrs={"aria-hidden": "true"},
                style={"width": State.width, "height": State.height},
            ),
            rx.foreach(State.nodes, node),
            class_name="graph",
            style={"width": State.width, "height": State.height},
            role="group",
            custom_attrs={"aria-label": "Lineage. Arrow keys move along the lines."},
        ),
        class_name="graph-wrap",
    )


def _list() -> rx.Component:
    def row(one: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(
                rx.el.button(
                    one.name,
                    type="button",
                    class_name="btn linkish plain cut",
                    on_click=State.open(one.id),
                    custom_attrs={"data-row": ""},
                )
            ),
            rx.el.td(one.layer),
            rx.el.td(
                rx.el.span(
                    state_icon(one.state, label=False),
                    rx.match(one.state, *copy.NODE_STATES.items(), one.state),
                    class_name="row",
                )
            ),
            rx.el.td(time(one.fresh), class_name="not-narrow"),
            rx.el.td(one.up, class_name="soft wrap not-narrow"),
        )

    heads = [("Table", ""), ("Layer", ""), ("State", ""), ("Fresh", "not-narrow")]
    return table(
        [*heads, ("Made of", "not-narrow")], rx.foreach(State.nodes, row), "Tables and their state"
    )


def _drawer() -> rx.Component:
    return rx.cond(
        State.open_id != "",
        rx.el.aside(
            rx.el.div(
                rx.el.h2(State.open_name, class_name="cut", title=State.open_name),
                closes("Close", on_click=State.open(""), auto_focus=True),
                class_name="row between",
            ),
            rx.el.p(badge(State.open_state), time(State.open_fresh), class_name="row"),
            rx.cond(
                State.open_message != "",
                rx.el.p(State.open_message, class_name="notice red"),
            ),
            rx.el.div(
                rx.cond(State.open_sql != "", link_button("Open SQL", State.open_sql)),
                rx.cond(State.open_rows != "", link_button("Browse rows", State.open_rows)),
                rx.cond(
                    State.open_id != State.focus,
                    button("Focus", on_click=_look(focus=State.open_id)),
                ),
                class_name="row wide",
            ),
            rx.cond(
                State.open_columns.length() > 0,
                table(
                    [("Column", ""), ("Type", "")],
                    rx.foreach(
                        State.open_columns,
                        lambda one: rx.el.tr(
                            rx.el.td(one.name), rx.el.td(one.type, class_name="soft")
                        ),
                    ),
                    "Columns",
                ),
                rx.el.p(copy.NOT_BUILT, class_name="soft"),
            ),
            class_name="drawer",
            custom_attrs={"aria-label": State.open_name},
        ),
    )
