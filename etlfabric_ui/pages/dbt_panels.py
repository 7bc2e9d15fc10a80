"""Below the editor: preview, compiled SQL, tests, changes, used by."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.editor import asks
from etlfabric_ui.components.elements import badge, button, link_button, state_icon, time
from etlfabric_ui.components.panels import announced, loads, refusal
from etlfabric_ui.components.results import diff_table, result_table
from etlfabric_ui.components.tables import table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.dbt_panels import DbtPanelsState
from etlfabric_ui.state.shell import Shell

State: Any = DbtPanelsState


def panels() -> rx.Component:
    """The tabs, each with its own URL, and the one that is open."""
    return rx.el.section(
        rx.el.nav(
            *(
                rx.link(
                    label,
                    href=f"?panel={key}",
                    unstyled=True,
                    custom_attrs={"aria-current": rx.cond(State.panel == key, "page", "false")},
                )
                for key, label in copy.PANELS
            ),
            class_name="tabs",
            custom_attrs={"aria-label": "Results"},
        ),
        rx.cond(State.error.kind != "", sql_refusal(State.error, State.error_line)),
        loads(
            State.loaded,
            State.problem,
            rx.fragment(
                rx.match(
                    State.panel,
                    ("compiled", rx.fragment(_is_compiled(), _compiled())),
                    ("tests", _tests()),
                    ("changes", _changes()),
                    ("used", _used_by()),
                    _preview(),
                )
            ),
            retry=State.load,
            lines=3,
        ),
        class_name="stack",
    )


def sql_refusal(error: Any, line: Any) -> rx.Component:
    """What is wrong with the SQL, leading to its line."""
    return refusal(
        error,
        rx.cond(line > 0, button(f"Go to line {line}", custom_attrs=asks("line", line=line))),
        rx.cond(error.href != "", link_button(error.action, error.href)),
    )


def _preview() -> rx.Component:
    result = rx.cond(
        State.busy == "preview",
        rx.el.p(
            copy.RUNNING_READ_ONLY,
            button("Stop", on_click=State.stop),
            class_name="soft pad row late-shown",
            role="status",
        ),
        rx.cond(
            State.said != "",
            rx.cond(State.columns.length() > 0, result_table(State.columns, State.rows, "Preview")),
            rx.cond(State.error.kind == "", rx.el.p(copy.PREVIEW_EMPTY, class_name="soft pad")),
        ),
    )
    shown = (State.busy != "preview") & (State.said != "")
    return rx.el.div(
        rx.el.div(
            announced(rx.cond(shown, State.said, ""), class_name="soft"),
            rx.cond(
                shown,
                button("Download CSV", "ghost", icon_name="download", on_click=State.download),
            ),
            class_name="row between",
        ),
        result,
        class_name="stack",
    )


def _is_compiled() -> rx.Component:
    """For who does not see the SQL come."""
    return announced(State.compiled, copy.COMPILED, class_name="sr")


def _compiled() -> rx.Component:
    return rx.cond(
        State.compiled != "",
        rx.el.div(
            rx.el.pre(
                State.compiled,
                class_name="snippet",
                tab_index=0,
                custom_attrs={"aria-label": "Compiled SQL"},
            ),
            rx.el.div(
                button(
                    "Copy",
                    icon_name="copy",
                    custom_attrs={"data-do": "copy", "data-copy": State.compiled},
                )
            ),
            class_name="stack",
        ),
        rx.cond(State.error.kind == "", rx.el.p(copy.COMPILE_EMPTY, class_name="soft pad")),
    )


def _tests() -> rx.Component:
    def row(one: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(one.name, class_name="mono"),
            rx.el.td(one.column, class_name="not-narrow"),
            rx.el.td(badge(one.state)),
            rx.el.td(one.said, class_name="soft not-narrow"),
            rx.el.td(time(one.at), class_name="not-narrow"),
            rx.el.td(
                rx.cond(
                    one.failing,
                    button(
                        copy.SHOW_FAILING,
                        busy=State.busy == "failing",
                        on_click=State.show_failing(one.id),
                    ),
                )
            ),
        )

    heads = [("Test", ""), ("Column", "not-narrow"), ("Result", ""), ("", "not-narrow")]
    heads += [("When", "not-narrow"), ("", "")]
    return rx.el.div(
        rx.cond(
            State.tests.length() > 0,
            rx.fragment(
                table(heads, rx.foreach(State.tests, row), "dbt tests"),
                rx.el.div(
                    button(
                        copy.RUN_TESTS,
                        icon_name="flask-conical",
                        refused=rx.cond(Shell.may_edit, "", copy.EDITORS_RUN),
                        on_click=State.run_tests,
                    )
                ),
            ),
            rx.el.p(copy.NO_TESTS, class_name="soft pad"),
        ),
        announced(State.failing_of, class_name="strong"),
        rx.cond(
            State.failing_of != "",
            result_table(State.failing_columns, State.failing_rows, "Failing rows"),
        ),
        rx.cond(Shell.may_edit, _add_test(), rx.el.p(copy.EDITORS_WRITE, class_name="soft")),
        class_name="stack loose",
    )


def _field(label: str, name: str, control: rx.Component) -> rx.Component:
    return rx.el.div(rx.el.label(label, html_for=f"test-{name}"), control, class_name="field")


def _text(name: str, placeholder: str = "", **props: Any) -> rx.Component:
    return rx.el.input(
        name=name,
        id=f"test-{name}",
        class_name="input",
        placeholder=placeholder,
        auto_complete="off",
        **props,
    )


def _column_field() -> rx.Component:
    return _field(
        "Column",
        "column",
        rx.fragment(
            _text("column", custom_attrs={"list": "test-columns"}),
            rx.el.datalist(
                rx.foreach(State.test_columns, lambda one: rx.el.option(value=one)),
                id="test-columns",
            ),
        ),
    )


def _add_test() -> rx.Component:
    return rx.el.form(
        _column_field(),
        _field(
            "Test",
            "kind",
            rx.el.select(
                *(rx.el.option(said, value=key) for key, said in copy.TESTS.items()),
                name="kind",
                id="test-kind",
                value=State.test_kind,
                on_change=State.choose_kind,
                class_name="select",
            ),
        ),
        rx.match(
            State.test_kind,
            (
                "accepted_values",
                _field("Values, parted by commas", "values", _text("values", "web, shop")),
            ),
            (
                "relationships",
                rx.fragment(
                    _field("Other dbt model", "to", _text("to", "stg_customers")),
                    _field("Its column", "field", _text("field", "id")),
                ),
            ),
            rx.fragment(),
        ),
        button(
            rx.cond(State.busy == "test", "Adding …", copy.ADD_TEST),
            busy=State.busy == "test",
            type="submit",
        ),
        rx.el.p(State.test_note, class_name="soft", role="status"),
        on_submit=State.add_test,
        class_name="test-form",
    )


def _changes() -> rx.Component:
    def row(one: Any) -> rx.Component:
        return rx.el.tr(
            rx.el.td(time(one.at)),
            rx.el.td(one.author),
            rx.el.td(one.action, rx.cond(one.current, rx.el.span(", newest", class_name="soft"))),
            rx.el.td(one.lines, class_name="num not-narrow"),
            rx.el.td(
                rx.el.div(
                    button(copy.SHOW_CHANGES, on_click=State.show_diff(one.id)),
                    rx.cond(
                        one.restorable & ~one.current,
                        button(
                            copy.RESTORE,
                            icon_name="rotate-ccw",
                            busy=State.busy == "restore",
                            refused=rx.cond(Shell.may_edit, "", copy.EDITORS_WRITE),
                            on_click=State.restore(one.id),
                        ),
                    ),
                    class_name="row wide",
                ),
            ),
            custom_attrs={"aria-selected": rx.cond(State.diff_of == one.id, "true", "false")},
        )

    heads = [("When", ""), ("Who", ""), ("What", ""), ("Size", "num not-narrow"), ("", "")]
    return rx.cond(
        State.versions.length() > 0,
        rx.el.div(
            table(heads, rx.foreach(State.versions, row), "Changes"),
            rx.cond(State.diff_of != "", _diff()),
            class_name="stack loose",
        ),
        rx.el.p(copy.NO_CHANGES, class_name="soft pad"),
    )


def _diff() -> rx.Component:
    return rx.cond(
        State.diff.length() > 0,
        diff_table(State.diff, "Then", "Saved now"),
        rx.el.p(copy.NO_DIFFERENCE, class_name="soft pad"),
    )


def _used_by() -> rx.Component:
    return rx.cond(
        State.used_by.length() > 0,
        rx.el.ul(
            rx.foreach(
                State.used_by,
                lambda one: rx.el.li(
                    rx.link(
                        state_icon(one.state),
                        one.name,
                        href=one.href,
                        unstyled=True,
                        class_name="leaf",
                    )
                ),
            ),
            class_name="tree",
        ),
        rx.el.p(copy.NO_USE, class_name="soft pad"),
    )
