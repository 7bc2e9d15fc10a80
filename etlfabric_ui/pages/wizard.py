"""New connection: connector → details → streams → schedule → first run."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import (
    button,
    exact,
    icon,
    link_button,
    mark,
    search,
    state_icon,
)
from etlfabric_ui.components.form import fold, name_field, schema_field
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import announced, copies, problem_panel, skeleton
from etlfabric_ui.components.schedule import schedule_fields
from etlfabric_ui.components.streams import stream_drawer, stream_table
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.shell import Shell
from etlfabric_ui.state.wizard import WizardState

State: Any = WizardState  # its attributes are Vars, which no type checker knows

ORDER = ("connector", "details", "streams", "schedule", "run")
GRANTS = """CREATE ROLE reader LOGIN PASSWORD '…';
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;"""


def wizard() -> rx.Component:
    """Closing it after a good test loses nothing."""
    return framed(
        "connections",
        heading(
            strings.NEW_CONNECTION,
            rx.cond(State.saved, link_button("Save and close", f"/o/{Shell.org}/connections")),
        ),
        rx.cond(State.loaded | (State.problem.kind == ""), _steps()),
        rx.cond(
            State.loaded & (State.problem.kind != ""), problem_panel(State.problem, State.refresh)
        ),
        rx.cond(
            State.loaded,
            rx.match(
                State.step,
                ("details", _details()),
                ("streams", _streams()),
                ("schedule", _schedule()),
                _connectors(),
            ),
            rx.cond(State.problem.kind != "", problem_panel(State.problem, State.load), skeleton()),
        ),
    )


def _steps() -> rx.Component:
    return rx.el.ol(
        *(
            rx.el.li(
                rx.match(
                    State.step,
                    *(
                        (
                            at,
                            rx.el.span(icon("circle-check"), class_name="state-icon succeeded")
                            if ORDER.index(at) > number
                            else rx.el.span(
                                icon("circle-dot" if ORDER.index(at) == number else "circle"),
                                class_name="state-icon",
                            ),
                        )
                        for at in ORDER[:-1]
                    ),
                    rx.fragment(),
                ),
                rx.el.button(
                    label,
                    type="button",
                    class_name="btn linkish plain",
                    on_click=State.go(ORDER[number]),
                ),
                custom_attrs={
                    "aria-current": rx.cond(State.step == ORDER[number], "step", "false")
                },
            )
            for number, label in enumerate(strings.STEPS)
        ),
        class_name="steps",
    )


def _connectors() -> rx.Component:
    def tile(one: Any) -> rx.Component:
        return rx.el.button(
            mark(one.mark),
            rx.el.span(
                one.title,
                rx.cond(one.locked, rx.el.span("Operators only", class_name="help")),
                class_name="grow",
            ),
            rx.cond(one.locked, icon("lock")),
            type="button",
            class_name="tile",
            on_click=State.choose(one.key),
            title=one.description,
            custom_attrs={"aria-disabled": rx.cond(one.locked, "true", "false")},
        )

    def group(name: str) -> rx.Component:
        return rx.el.section(
            rx.el.h3(name),
            rx.el.div(
                rx.foreach(
                    State.tiles, lambda one: rx.cond(one.group == name, tile(one), rx.fragment())
                ),
                class_name="tiles",
            ),
            class_name="stack group",
        )

    return rx.el.div(
        rx.el.h2(strings.CHOOSE_CONNECTOR),
        rx.el.div(
            search("Search connectors", auto_focus=True, on_change=State.search.debounce(150)),
            class_name="toolbar",
        ),
        rx.cond(
            State.tiles.length() > 0,
            rx.el.div(
                *(group(name) for name in ("Databases", "APIs", "Files", "Code")),
                class_name="stack sections",
            ),
        ),
        announced(
            rx.cond(State.tiles.length() > 0, "", State.query),
            f"No connector named “{State.query}”. Any REST API works with ",
            button("REST API", "linkish", on_click=State.choose("rest_api")),
            ".",
            class_name="",
        ),
        class_name="stack loose",
    )


def _details() -> rx.Component:
    return rx.el.div(
        rx.form.root(
            rx.el.div(
                rx.el.div(mark(State.mark), rx.el.h2(State.title), class_name="row"),
                _name(),
                rx.cond(State.takes_files, _files()),
                rx.foreach(State.fields, schema_field),
                rx.foreach(State.folds, fold),
                _checks(),
                rx.el.div(
                    button(
                        rx.match(
                            State.busy,
                            ("test", rx.el.span("Testing …")),
                            ("discover", rx.el.span("Reading the table list …")),
                            rx.el.span(strings.TEST_AND_CONTINUE),
                        ),
                        "primary",
                        type="submit",
                        busy=State.busy != "",
                    ),
                    button(strings.SAVE_WITHOUT_TESTING, type="submit", on_click=State.skip_test),
                    class_name="foot-actions sticky-foot",
                ),
                class_name="form",
            ),
            key=State.form_key.to_string(),
            on_submit=State.test,
            no_validate=False,
            custom_attrs={"data-guard": ""},
        ),
        _guide(),
        class_name="split",
    )


def _name() -> rx.Component:
    return name_field(
        "name",
        State.name,
        State.name_error,
        "Tables are named after it: ",
        rx.el.code(State.name, "__orders"),
        key=State.key,
        read_only=State.saved,
    )


def _files() -> rx.Component:
    """Files go from the browser straight to the API; panel.js sends them and tells the page."""

    def row(one: Any) -> rx.Component:
        return rx.el.li(
            icon("file-text"),
            rx.el.span(one.name, class_name="grow cut", title=one.name),
            rx.el.span(one.size, class_name="soft nowrap"),
            button(
                "Remove",
                "ghost small-btn",
                on_click=State.remove_file(one.name),
                custom_attrs={"aria-label": f"Remove {one.name}"},
            ),
            class_name="row",
        )

    return rx.el.div(
        rx.el.label(
            icon("upload"),
            rx.el.span(strings.DROP_FILES),
            rx.el.input(
                type="file",
                multiple=True,
                class_name="sr",
                accept=".csv,.parquet,.jsonl,.ndjson,.gz",
                custom_attrs={"data-upload": Shell.org},
            ),
            class_name="drop",
        ),
        rx.el.ul(class_name="stack tight soft", role="status", custom_attrs={"data-progress": ""}),
        rx.el.button(
            type="button",
            hidden=True,
            on_click=State.uploaded,
            custom_attrs={"data-uploaded": "", "aria-label": "Read the uploads again"},
        ),
        rx.el.ul(rx.foreach(State.files, row), class_name="stack tight"),
        class_name="stack",
    )


def _checks() -> rx.Component:
    return rx.cond(
        (State.checks.length() > 0) | (State.verdict.kind != "") | (State.busy == "test"),
        rx.el.section(
            rx.el.header(rx.el.h3("Test")),
            rx.el.div(
                rx.cond(State.busy == "test", rx.el.p("Connecting …", class_name="soft")),
                rx.el.ul(
                    rx.foreach(
                        State.checks,
                        lambda step: rx.el.li(
                            rx.cond(step.ok, state_icon("succeeded"), state_icon("failed")),
                            rx.el.span(step.name, title=step.detail),
                        ),
                    ),
                    class_name="checks",
                ),
                rx.cond(
                    State.verdict.kind != "",
                    rx.el.div(
                        rx.el.p(State.verdict.message, class_name="strong"),
                        rx.el.p(State.verdict.remedy),
                        rx.el.div(copies(State.verdict), class_name="actions"),
                        role="alert",
                    ),
                ),
                class_name="body stack",
            ),
            class_name="panel",
        ),
    )


def _guide() -> rx.Component:
    return rx.el.aside(
        rx.el.header(
            rx.el.h3(rx.cond(State.takes_files, "Files as tables", "A login that can only read"))
        ),
        rx.el.div(
            rx.cond(State.takes_files, rx.el.p(strings.FILES_GUIDE, class_name="soft")),
            rx.cond(
                State.mark == "postgresql",
                rx.fragment(
                    rx.el.p("Run this in the database:"),
                    rx.el.pre(GRANTS, class_name="snippet", tab_index=0),
                    rx.el.button(
                        rx.el.span("Copy"),
                        type="button",
                        class_name="btn",
                        custom_attrs={"data-do": "copy", "data-copy": GRANTS},
                    ),
                    rx.el.p("Firewall: allow this install's outgoing address.", class_name="soft"),
                ),
                rx.el.p(
                    "Give ETL Fabric a login or token of its own that may only read, so that it "
                    "can be revoked alone.",
                    class_name="soft",
                ),
            ),
            class_name="body stack",
        ),
        class_name="panel guide",
    )


def _streams() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.h2(f"Streams of {State.name}"),
            rx.el.span(f"{exact(State.found)} found", class_name="soft"),
            button("Refresh", "ghost", icon_name="refresh-cw", on_click=State.refresh),
            class_name="row wide",
        ),
        rx.el.p(
            rx.cond(
                State.found <= 20,
                strings.DEFAULTS_SET,
                f"{exact(State.found)} streams found. {strings.CHOOSE_STREAMS}",
            ),
            class_name="soft",
        ),
        rx.cond(
            State.found > 0,
            stream_table(State),
            _no_streams(),
        ),
        rx.el.div(
            button("Back", on_click=State.go("details")),
            button(
                rx.el.span("Continue with ", exact(State.chosen)),
                "primary",
                refused=rx.cond(State.chosen == 0, "Select at least one stream.", ""),
                on_click=State.to_schedule,
            ),
            class_name="foot-actions sticky-foot",
        ),
        stream_drawer(State),
        class_name="stack loose",
    )


def _no_streams() -> rx.Component:
    return rx.el.div(
        rx.el.h2(strings.NO_STREAMS),
        rx.el.p("The login may lack USAGE on the schema, or the schema is another."),
        button("Change the details", on_click=State.go("details")),
        class_name="empty",
    )


def _schedule() -> rx.Component:
    return rx.el.div(
        rx.el.h2("Schedule"),
        schedule_fields(State),
        rx.el.p("You can change this later.", class_name="soft"),
        rx.el.div(
            button("Back", on_click=State.go("streams")),
            button(
                rx.cond(
                    State.busy == "create",
                    rx.el.span("Creating …"),
                    rx.el.span(strings.CREATE_AND_RUN),
                ),
                "primary",
                busy=State.busy != "",
                on_click=State.create,
            ),
            class_name="foot-actions sticky-foot",
        ),
        class_name="stack loose",
    )
