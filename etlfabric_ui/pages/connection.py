"""A connection: state and actions above, and what is known of it on three tabs."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import (
    badge,
    button,
    exact,
    link_button,
    mark,
    search,
    state_icon,
    time,
)
from etlfabric_ui.components.form import fold, schema_field
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.modal import typed_name
from etlfabric_ui.components.panels import announced, copies, empty, loads, no_match, refusal
from etlfabric_ui.components.tables import differences, pager, table
from etlfabric_ui.components.tabs import tab_bar
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.state.connection import ConnectionState
from etlfabric_ui.state.shell import Shell

State: Any = ConnectionState  # its attributes are Vars, which no type checker knows
HERE = f"/o/{Shell.org}/connections/{State.name}"


def connection() -> rx.Component:
    """One connection, on the tab of the URL."""
    return framed(
        "connections",
        heading(
            rx.cond(State.loaded, State.name, "Connection"),
            rx.cond(State.loaded, _actions()),
            beside=rx.cond(State.loaded, rx.fragment(mark(State.mark), badge(State.state))),
        ),
        loads(
            State.loaded,
            State.problem,
            rx.el.div(
                _sentence(),
                tab_bar(
                    HERE,
                    State.tab,
                    [("overview", "Overview"), ("edit", "Edit"), ("streams", STREAMS)],
                ),
                rx.match(State.tab, ("edit", _edit()), ("streams", _streams()), _overview()),
                class_name="stack loose",
            ),
            retry=State.load,
            overview=f"/o/{Shell.org}/overview",
        ),
        typed_name(
            State.deleting,
            what="connection",
            name=State.name,
            says=State.deletes,
            error=State.delete_error,
            on_close=State.ask_delete(False),
            on_submit=State.delete,
            possible=State.used_by.length() == 0,
        ),
    )


STREAMS = "Streams found"


def _actions() -> rx.Component:
    test = button(
        rx.cond(State.busy == "test", rx.el.span("Testing …"), rx.el.span("Test")),
        icon_name="plug-zap",
        busy=State.busy != "",
        on_click=State.test,
    )
    delete = button("Delete", "danger", icon_name="trash-2", on_click=State.ask_delete(True))
    no_delete = button("Delete", icon_name="trash-2", refused=strings.ADMINS_DELETE_CONNECTIONS)
    return rx.fragment(
        editors_only(test, button("Test", icon_name="plug-zap", refused=strings.EDITORS_TEST)),
        rx.cond(Shell.may_admin, delete, no_delete),
    )


def _sentence() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            State.title,
            rx.cond(State.tested.iso != "", rx.fragment(" · tested ", time(State.tested))),
            " · changed ",
            time(State.changed),
            class_name="soft",
        ),
        rx.cond(
            State.verdict.kind != "",
            refusal(
                State.verdict,
                editors_only(
                    rx.fragment(
                        link_button(State.verdict.action, State.verdict.href),
                        copies(State.verdict),
                    ),
                    rx.fragment(),
                ),
            ),
        ),
        class_name="stack",
    )


def _facts() -> rx.Component:
    return rx.el.dl(
        rx.foreach(
            State.facts,
            lambda fact: rx.fragment(rx.el.dt(fact.label), rx.el.dd(fact.value, class_name="wrap")),
        ),
        class_name="kv",
    )


def _overview() -> rx.Component:
    return rx.el.div(
        rx.el.section(rx.el.h2("Where it points"), _facts(), class_name="stack"),
        rx.el.section(
            rx.el.h2("Used by"),
            rx.cond(
                State.used_by.length() > 0,
                rx.el.ul(
                    rx.foreach(
                        State.used_by,
                        lambda name: rx.el.li(
                            rx.link(
                                name,
                                href=f"/o/{Shell.org}/pipelines/{name}",
                                custom_attrs={"data-row": ""},
                            )
                        ),
                    ),
                    class_name="stack tight",
                ),
                rx.el.p(strings.USED_BY_NONE, class_name="soft"),
            ),
            class_name="stack",
        ),
        rx.el.section(
            rx.el.h2("Last test"),
            rx.cond(
                State.checks.length() > 0,
                rx.el.ul(rx.foreach(State.checks, _check), class_name="stack tight"),
                rx.el.p("Never tested.", class_name="soft"),
            ),
            class_name="stack",
        ),
        class_name="stack sections",
    )


def _check(step: Any) -> rx.Component:
    return rx.el.li(
        rx.cond(step.ok, state_icon("succeeded"), state_icon("failed")),
        rx.el.span(step.name),
        rx.cond(step.detail != "", rx.el.span(step.detail, class_name="soft")),
        class_name="row",
    )


def _edit() -> rx.Component:
    form = rx.el.form(
        rx.el.div(
            announced(State.saved),
            rx.foreach(State.fields, schema_field),
            rx.foreach(State.folds, fold),
            rx.cond(
                State.refused.kind != "",
                rx.el.div(
                    state_icon("failed", label=False),
                    rx.el.div(
                        rx.el.p("Not saved. ", State.refused.message, class_name="strong"),
                        rx.el.p(State.refused.remedy),
                        rx.cond(State.refused.code == "edited_meanwhile", _meanwhile()),
                        class_name="grow stack",
                    ),
                    class_name="notice red",
                    role="alert",
                ),
            ),
            rx.el.div(
                button(
                    rx.cond(
                        State.busy == "save", rx.el.span("Testing …"), rx.el.span("Test and save")
                    ),
                    "primary",
                    type="submit",
                    busy=State.busy != "",
                ),
                rx.cond(
                    (State.refused.kind != "") & (State.refused.code != "edited_meanwhile"),
                    button("Save anyway", type="submit", on_click=State.insist),
                ),
                class_name="foot-actions sticky-foot",
            ),
            class_name="form narrow-form",
        ),
        key=State.form_key.to_string(),
        on_submit=State.save,
        custom_attrs={"data-guard": ""},
    )
    viewer = rx.el.div(
        rx.el.p(strings.EDITORS_CHANGE_CONNECTIONS, class_name="soft"), _facts(), class_name="stack"
    )
    return editors_only(form, viewer)


def _meanwhile() -> rx.Component:
    """Both versions, and whose shall stay."""
    return rx.fragment(
        differences(State.conflict),
        rx.el.div(
            button(strings.SAVE_OVER, type="submit", on_click=State.save_over),
            button(strings.TAKE_THEIRS, on_click=State.take_theirs),
            class_name="actions",
        ),
    )


def _streams() -> rx.Component:
    heads = [("Stream", ""), ("Key", "not-narrow"), ("Cursor", "not-narrow")]
    heads += [("Columns", "num"), ("Rows, about", "num")]
    again = button(
        rx.cond(State.busy == "discover", rx.el.span("Reading …"), rx.el.span("Refresh")),
        icon_name="refresh-cw",
        busy=State.busy != "",
        on_click=State.refresh,
    )
    no_again = button("Refresh", icon_name="refresh-cw", refused=strings.EDITORS_LOOK)
    return rx.el.div(
        rx.cond(
            State.found_at.iso != "",
            rx.el.p(
                f"{exact(State.found)} found ",
                time(State.found_at),
                ". ",
                strings.REFRESHING,
                class_name="soft",
            ),
        ),
        rx.cond(
            State.found > 0,
            rx.el.div(
                rx.el.div(
                    search("Name", default_value=State.q, on_change=State.search.debounce(150)),
                    editors_only(again, no_again),
                    class_name="toolbar",
                ),
                rx.cond(
                    State.streams.length() > 0,
                    table(heads, rx.foreach(State.streams, _stream), "Streams found"),
                    no_match("streams", State.search("")),
                ),
                pager(State.shown, State.turn(-1), State.turn(1), State.has_back, State.has_more),
                class_name="stack loose",
            ),
            rx.cond(
                State.found_at.iso != "",
                empty(
                    strings.NO_STREAMS,
                    "The login may lack USAGE on the schema, or the schema is another.",
                    [editors_only(again, no_again), link_button("Edit", f"{HERE}?tab=edit")],
                ),
                empty("No streams yet.", strings.NEVER_FOUND, [editors_only(again, no_again)]),
            ),
        ),
        class_name="stack loose",
    )


def _stream(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="strong wrap"),
        rx.el.td(row.key, class_name="not-narrow"),
        rx.el.td(row.cursor, class_name="not-narrow"),
        rx.el.td(row.columns, title=row.columns_said, class_name="num"),
        rx.el.td(row.rows, class_name="num"),
    )
