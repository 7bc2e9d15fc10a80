"""New connection: connector → details → streams → schedule → first run."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, icon, link_button, mark, search, state_icon
from etlfabric_ui.components.form import fold, schema_field
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import problem_panel, skeleton
from etlfabric_ui.components.tables import pager, table
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.shell import Shell
from etlfabric_ui.state.wizard import WizardState

State: Any = WizardState  # its attributes are Vars, which no type checker knows

ORDER = ("connector", "details", "streams", "schedule", "run")
GRANTS = """CREATE ROLE reader LOGIN PASSWORD '…';
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;"""
PRESETS = (
    ("15min", "Every 15 min"),
    ("hourly", "Every hour"),
    ("daily", "Daily at 06:00"),
    ("manual", "Manual"),
)


def wizard() -> rx.Component:
    """Closing it after a good test loses nothing."""
    return framed(
        "connections",
        heading(
            strings.NEW_CONNECTION,
            rx.cond(State.saved, link_button("Save and close", f"/o/{Shell.org}/connections")),
        ),
        _steps(),
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
            rx.cond(State.problem.kind != "", problem_panel(State.problem), skeleton()),
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
            rx.el.p(
                f"No connector named “{State.query}”. Any REST API works with ",
                button("REST API", "linkish", on_click=State.choose("rest_api")),
                ".",
            ),
        ),
        class_name="stack loose",
    )


def _details() -> rx.Component:
    return rx.el.div(
        rx.form.root(
            rx.el.div(
                rx.el.div(mark(State.mark), rx.el.h2(State.title), class_name="row"),
                _name(),
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
                    class_name="foot-actions sticky-foot",
                ),
                class_name="form",
            ),
            on_submit=State.test,
            no_validate=False,
        ),
        _guide(),
        class_name="split",
    )


def _name() -> rx.Component:
    return rx.el.div(
        rx.el.label("Name", html_for="name"),
        rx.el.input(
            id="name",
            name="name",
            key=State.key,
            default_value=State.name,
            read_only=State.saved,
            required=True,
            class_name="input",
            auto_complete="off",
            custom_attrs={
                "aria-describedby": "name-error",
                "aria-invalid": rx.cond(State.name_error != "", "true", "false"),
            },
        ),
        rx.el.span(
            "Tables are named after it: ", rx.el.code(State.name, "__orders"), class_name="help"
        ),
        rx.el.span(State.name_error, id="name-error", class_name="err"),
        class_name="field",
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
        rx.el.header(rx.el.h3("A login that can only read")),
        rx.el.div(
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


def _stream(row: Any) -> rx.Component:
    labels = {key: f"{name}: {what}" for key, (name, what) in strings.LOAD_MODES.items()}
    return rx.el.tr(
        rx.el.td(
            rx.el.input(
                type="checkbox",
                class_name="check",
                checked=row.selected,
                on_change=lambda checked: State.select(row.name, checked),
                custom_attrs={"aria-label": f"Load {row.name}"},
            )
        ),
        rx.el.td(rx.el.span(row.name, class_name="strong")),
        rx.el.td(
            rx.el.select(
                rx.foreach(
                    row.modes,
                    lambda mode: rx.el.option(rx.match(mode, *labels.items(), mode), value=mode),
                ),
                value=row.mode,
                on_change=lambda mode: State.set_mode(row.name, mode),
                class_name="select",
                custom_attrs={"aria-label": f"Load mode of {row.name}"},
            )
        ),
        rx.el.td(row.key, class_name="not-narrow"),
        rx.el.td(
            rx.cond(
                row.cursor != "",
                rx.el.select(
                    rx.foreach(row.cursors, lambda name: rx.el.option(name, value=name)),
                    value=row.cursor,
                    on_change=lambda name: State.set_cursor(row.name, name),
                    class_name="select auto",
                    custom_attrs={"aria-label": f"Cursor of {row.name}"},
                ),
                rx.el.span("—", class_name="soft"),
            ),
            class_name="not-narrow",
        ),
        rx.el.td(row.columns, class_name="num not-narrow"),
        rx.el.td(row.rows, class_name="num not-narrow"),
    )


def _streams() -> rx.Component:
    heads = [("", ""), ("Stream", ""), ("Load mode", ""), ("Key", "not-narrow")]
    heads += [("Cursor", "not-narrow"), ("Columns", "num not-narrow")]
    heads += [("Rows, about", "num not-narrow")]
    return rx.el.div(
        rx.el.div(
            rx.el.h2(f"Streams of {State.name}"),
            rx.el.span(f"{State.found} found", class_name="soft"),
            button("Refresh", "ghost", icon_name="refresh-cw", on_click=State.refresh),
            class_name="row wide",
        ),
        rx.el.p(
            rx.cond(
                State.found <= 20,
                strings.DEFAULTS_SET,
                f"{State.found} streams found. Choose what you need; you can add more at any time.",
            ),
            class_name="soft",
        ),
        rx.cond(
            State.found > 0,
            rx.el.div(
                rx.el.div(
                    search("Name or column", on_change=State.filter_streams.debounce(150)),
                    button(
                        rx.el.span("Select all ", State.matching),
                        on_click=State.select_matching(True),
                    ),
                    button("Deselect", on_click=State.select_matching(False)),
                    class_name="toolbar",
                ),
                table(heads, rx.foreach(State.streams, _stream), "Streams"),
                pager(
                    rx.el.span(
                        State.matching, " of ", State.found, " shown, ", State.chosen, " selected"
                    ),
                    State.turn(-1),
                    State.turn(1),
                    State.page_number > 0,
                    State.page_number + 1 < State.pages,
                ),
                class_name="stack loose",
            ),
            _no_streams(),
        ),
        rx.el.div(
            button("Back", on_click=State.go("details")),
            button(
                rx.el.span("Continue with ", State.chosen),
                "primary",
                refused=rx.cond(State.chosen == 0, "Select at least one stream.", ""),
                on_click=State.to_schedule,
            ),
            class_name="foot-actions sticky-foot",
        ),
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
        rx.el.div(
            *(
                rx.el.label(
                    rx.el.input(
                        type="radio",
                        name="preset",
                        value=key,
                        checked=State.preset == key,
                        on_change=State.pick_preset(key),
                    ),
                    label,
                )
                for key, label in PRESETS
            ),
            class_name="segments",
            role="radiogroup",
            custom_attrs={"aria-label": "How often it runs"},
        ),
        rx.el.p("Times are in ", State.zone, ". You can change this later.", class_name="soft"),
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
