"""Data: look at what was loaded and built."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.elements import button, icon, link_button, search, state_icon, time
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.panels import empty, loads, no_match, refusal
from etlfabric_ui.components.tables import table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages.data_profile import profile
from etlfabric_ui.pages.data_query import query
from etlfabric_ui.pages.data_rows import cell_drawer, rows
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.data import SCHEMAS, DataState
from etlfabric_ui.state.shell import Shell

State: Any = DataState  # its attributes are Vars, which no type checker knows


def data() -> rx.Component:
    """Tables on the left, one of them on the right."""
    return framed(
        "data",
        heading(copy.DATA),
        loads(
            State.loaded,
            State.problem,
            rx.cond(
                State.nothing,
                empty(strings.NO_DATA, strings.NO_DATA_TEXT),
                rx.el.div(
                    _tables(),
                    rx.cond(State.table != "", _table()),
                    class_name="work tables",
                ),
            ),
            retry=State.load,
            overview=routes.to(routes.OVERVIEW, org_slug=Shell.org),
        ),
        addressed(State.address),
    )


def _tables() -> rx.Component:
    base = routes.to(routes.DATA, org_slug=Shell.org)

    def leaf(one: Any) -> rx.Component:
        return rx.link(
            icon("table-2"),
            rx.el.span(one.name, class_name="grow cut"),
            rx.el.span(one.rows, class_name="soft small nowrap"),
            href=f"{base}/{one.schema}/{one.name}",
            unstyled=True,
            class_name="leaf",
            title=one.name,
            custom_attrs={"aria-current": rx.cond(one.current, "page", "false"), "data-row": ""},
        )

    def schema(name: str) -> rx.Component:
        return rx.el.div(
            rx.el.h2(name, class_name="folder"),
            rx.cond(State.no_marts, _no_marts()) if name == "marts" else rx.fragment(),
            rx.foreach(
                State.tables, lambda one: rx.cond(one.schema == name, leaf(one), rx.fragment())
            ),
            class_name="tree",
        )

    return rx.el.nav(
        search(copy.SEARCH_TABLES, default_value=State.query, on_change=State.search.debounce(150)),
        *(schema(name) for name in SCHEMAS),
        rx.cond(
            State.tables.length() == 0,
            no_match("tables", State.search(""), beside=True),
        ),
        class_name="stack tree-pane",
        custom_attrs={"aria-label": "Tables"},
    )


def _no_marts() -> rx.Component:
    models = routes.to(routes.DBT_MODELS, org_slug=Shell.org)
    return rx.el.p(strings.NO_DATA, " ", rx.link(copy.WRITE_ONE, href=models))


def _table() -> rx.Component:
    return rx.el.div(
        _head(),
        rx.el.nav(
            *(
                rx.link(
                    label,
                    href=f"?tab={key}",
                    unstyled=True,
                    custom_attrs={"aria-current": rx.cond(State.tab == key, "page", "false")},
                )
                for key, label in copy.TABS
            ),
            class_name="tabs",
            custom_attrs={"aria-label": "Table"},
        ),
        rx.cond(
            State.error.kind != "",
            refusal(State.error, button(strings.TRY_AGAIN, on_click=State.turn(0))),
        ),
        rx.match(
            State.tab,
            ("columns", _columns()),
            ("profile", profile()),
            ("sql", query()),
            rows(),
        ),
        rx.cond(State.cell_title != "", cell_drawer()),
        class_name="stack loose grow",
    )


def _head() -> rx.Component:
    facts = State.facts
    return rx.el.div(
        rx.el.div(
            rx.el.h2(State.table, class_name="mono-id cut", title=State.table),
            rx.el.p(
                rx.cond(facts.state != "", state_icon(facts.state)),
                rx.el.span(
                    facts.rows,
                    rx.cond(facts.fresh.iso != "", rx.fragment(" · fresh ", time(facts.fresh))),
                    class_name="nowrap",
                ),
                class_name="row soft",
            ),
            class_name="grow stack tight",
        ),
        rx.el.div(
            rx.cond(facts.sql_href != "", link_button("Open SQL", facts.sql_href)),
            rx.cond(facts.lineage_href != "", link_button("Lineage", facts.lineage_href)),
            button(
                rx.cond(State.size != "", f"{copy.DOWNLOAD}, {State.size}", copy.DOWNLOAD),
                icon_name="download",
                on_click=State.download,
                custom_attrs={"data-fetches": State.fetches},
            ),
            class_name="actions",
        ),
        class_name="head table-head",
    )


def _columns() -> rx.Component:
    heads = [("Column", ""), ("Type", ""), ("Nullable", ""), ("Policy", "not-narrow")]
    return table(
        heads,
        rx.foreach(
            State.column_rows,
            lambda one: rx.el.tr(
                rx.el.td(one.name, class_name="strong"),
                rx.el.td(one.type, class_name="mono"),
                rx.el.td(one.nullable),
                rx.el.td(one.policy, class_name="not-narrow"),
            ),
        ),
        "Columns",
    )
