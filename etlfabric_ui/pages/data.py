"""Data: look at what was loaded and built."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.editor import SqlEditor, asks
from etlfabric_ui.components.elements import button, icon, link_button, search, state_icon, time
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.panels import empty, loads
from etlfabric_ui.components.results import closes, result_table
from etlfabric_ui.components.tables import pager, table
from etlfabric_ui.copy import models as copy
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
            rx.foreach(
                State.tables, lambda one: rx.cond(one.schema == name, leaf(one), rx.fragment())
            ),
            class_name="tree",
        )

    return rx.el.nav(
        search(copy.SEARCH_TABLES, on_change=State.search.debounce(150)),
        *(schema(name) for name in SCHEMAS),
        rx.cond(
            State.tables.length() == 0,
            rx.el.p(strings.NO_MATCH.format(noun="tables"), class_name="soft"),
        ),
        class_name="stack tree-pane",
        custom_attrs={"aria-label": "Tables"},
    )


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
        rx.cond(State.error.kind != "", _error()),
        rx.match(
            State.tab,
            ("columns", _columns()),
            ("profile", _profile()),
            ("sql", _sql()),
            _rows(),
        ),
        rx.cond(State.cell_title != "", _cell_drawer()),
        class_name="stack loose grow",
    )


def _head() -> rx.Component:
    facts = State.facts
    return rx.el.div(
        rx.el.h2(State.table, class_name="mono-id cut", title=State.table),
        rx.el.span(
            facts.rows,
            rx.cond(facts.fresh.iso != "", rx.fragment(" · fresh ", time(facts.fresh))),
            class_name="soft nowrap",
        ),
        rx.cond(facts.state != "", state_icon(facts.state)),
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
        class_name="head",
    )


def _error() -> rx.Component:
    return rx.el.div(
        rx.el.span(icon("circle-x"), class_name="state-icon failed"),
        rx.el.div(
            rx.el.p(State.error.message, class_name="strong"),
            rx.cond(State.error.remedy != "", rx.el.p(State.error.remedy)),
            class_name="grow",
        ),
        class_name="notice red",
        role="alert",
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


def _rows() -> rx.Component:
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
            rx.cond(State.error.kind == "", rx.el.p(copy.NO_ROWS_HERE, class_name="soft pad")),
        ),
        pager(State.shown, State.turn(-1), State.turn(1), State.page_number > 0, State.more),
        rx.cond(State.columns_said != "", _column_pager()),
        class_name="stack",
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


def _cell_drawer() -> rx.Component:
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


def _profile() -> rx.Component:
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
        rx.cond(
            State.busy == "profile",
            rx.el.p(
                copy.PROFILING,
                button("Stop", on_click=State.stop),
                class_name="row soft",
                role="status",
            ),
            rx.el.div(
                rx.el.span(State.profiled, class_name="soft", role="status"),
                rx.cond(
                    State.profiled == "",
                    button("Profile a sample", "primary", on_click=State.profile(False)),
                    rx.cond(State.sampled, button(copy.WHOLE_TABLE, on_click=State.profile(True))),
                ),
                class_name="row wide",
            ),
        ),
        rx.cond(
            State.profile_rows.length() > 0,
            table(heads, rx.foreach(State.profile_rows, row), "Profile"),
        ),
        class_name="stack",
        on_mount=State.profile(False),
    )


def _sql() -> rx.Component:
    return rx.el.div(
        SqlEditor.create(
            name="data:query",
            value="",
            version="",
            saved="",
            keep=State.keep,
            language="sql",
            label="SQL",
            refs=False,
            tables=State.completions,
            read_only=False,
            offer="",
            offer_number=0,
            error_line=0,
            error_said="",
            on_preview=State.run_query,
        ),
        rx.el.div(
            button(
                copy.RUN_QUERY,
                "primary",
                icon_name="play",
                busy=State.busy == "query",
                title="⌘↵",
                custom_attrs=asks("preview"),
            ),
            rx.cond(
                State.busy == "query",
                rx.fragment(
                    rx.el.span(copy.RUNNING_READ_ONLY, class_name="soft late-shown", role="status"),
                    button("Stop", on_click=State.stop),
                ),
                rx.el.span(
                    rx.cond(State.query_said != "", State.query_said, copy.QUERY_HELP),
                    class_name="soft",
                    role="status",
                ),
            ),
            rx.cond(
                State.query_rows.length() > 0,
                button(
                    "Download CSV", "ghost", icon_name="download", on_click=State.download_answer
                ),
            ),
            class_name="row wide",
        ),
        rx.cond(
            State.query_columns.length() > 0,
            result_table(State.query_columns, State.query_rows, "Result"),
        ),
        class_name="stack",
    )
