"""A pipeline's runs, schema changes, schedule and settings."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, icon, link_button, time, unless
from etlfabric_ui.components.form import name_field
from etlfabric_ui.components.panels import announced, empty, loads
from etlfabric_ui.components.schedule import schedule_fields
from etlfabric_ui.components.tables import LIVE_MS, table, ticker
from etlfabric_ui.pages.framed import editors_only
from etlfabric_ui.pages.run_rows import HEADS, run_cells
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.pipeline_changes import PipelineChanges
from etlfabric_ui.state.pipeline_runs import PipelineRuns
from etlfabric_ui.state.pipeline_schedule import PipelineSchedule
from etlfabric_ui.state.shell import Shell

Head: Any = PipelineState  # their attributes are Vars, which no type checker knows
Runs: Any = PipelineRuns
Changes: Any = PipelineChanges
Plan: Any = PipelineSchedule


def runs_tab(here: Any) -> rx.Component:
    """Newest first, with how long they took."""
    chart = rx.el.figure(
        rx.el.figcaption(Runs.finding, class_name="soft small"),
        rx.el.div(
            rx.foreach(
                Runs.bars,
                lambda bar: rx.link(
                    rx.el.i(class_name=bar.state, style={"height": bar.height}),
                    href=bar.href,
                    title=bar.said,
                    unstyled=True,
                    custom_attrs={"aria-label": bar.said},
                ),
            ),
            class_name="bars durations",
        ),
        class_name="stack tight",
    )
    content = rx.cond(
        Runs.rows.length() > 0,
        rx.el.div(
            rx.cond(Runs.bars.length() > 0, chart),
            table(HEADS, rx.foreach(Runs.rows, run_cells), "Runs"),
            rx.el.div(
                rx.cond(Runs.cursor != "", link_button("Newest", f"{here}?tab=runs")),
                rx.cond(
                    Runs.next_cursor != "",
                    link_button("Older", f"{here}?tab=runs&cursor={Runs.next_cursor}"),
                ),
                class_name="row",
            ),
            class_name="stack loose",
        ),
        empty(strings.NO_RUNS, strings.NO_RUNS_TEXT),
    )
    return rx.fragment(
        loads(Runs.loaded, Runs.problem, content, retry=Runs.load), ticker(LIVE_MS, Runs.poll)
    )


def changes_tab(here: Any) -> rx.Component:
    """What waits for a decision, then what was found."""
    heads = [("Found", "not-narrow"), ("Stream", ""), ("Change", ""), ("Effect", "not-narrow")]
    heads += [("Used by", "not-narrow"), ("Decision", "")]
    waiting = rx.el.div(
        rx.el.div(
            rx.el.h2("Waiting for a decision", class_name="grow"),
            editors_only(
                rx.fragment(
                    button("Accept all", on_click=Changes.decide_all(True)),
                    button("Ignore all", on_click=Changes.decide_all(False)),
                ),
                rx.el.span("Editors can decide.", class_name="soft"),
            ),
            class_name="row",
        ),
        table(heads, rx.foreach(Changes.pending, _change), "Columns that wait for a decision"),
        class_name="stack",
    )
    found = rx.el.div(
        table(heads, rx.foreach(Changes.rows, _change), "Schema changes"),
        rx.el.div(
            rx.cond(Changes.cursor != "", link_button("Newest", f"{here}?tab=changes")),
            rx.cond(
                Changes.next_cursor != "",
                link_button("Older", f"{here}?tab=changes&cursor={Changes.next_cursor}"),
            ),
            class_name="row",
        ),
        class_name="stack",
    )
    nothing = (Changes.rows.length() == 0) & (Changes.pending.length() == 0)
    content = rx.el.div(
        rx.el.div(_policy(), class_name="toolbar"),
        announced(Changes.said),
        rx.cond(Changes.pending.length() > 0, waiting),
        rx.cond(Changes.rows.length() > 0, found),
        rx.cond(nothing, empty(strings.NO_CHANGES, strings.NO_CHANGES_TEXT)),
        class_name="stack sections",
    )
    return loads(Changes.loaded, Changes.problem, content, retry=Changes.load)


def schedule_tab() -> rx.Component:
    """When it runs."""
    form = rx.el.div(
        announced(Plan.saved),
        rx.cond(
            Plan.interval != "",
            rx.el.p(
                Plan.interval,
                ", as the CLI or the API set it. Saving here replaces it.",
                class_name="notice",
            ),
        ),
        rx.cond(
            Head.paused,
            rx.el.p(icon("pause"), "The pipeline is paused.", class_name="notice row"),
        ),
        schedule_fields(Plan),
        rx.el.div(button("Save", "primary", on_click=Plan.save), class_name="foot-actions"),
        class_name="stack loose",
    )
    viewer = rx.el.div(
        rx.el.p("Editors can set schedules.", class_name="soft"),
        rx.el.p(
            rx.cond(
                Plan.interval != "",
                Plan.interval,
                rx.cond(Plan.in_words != "", Plan.in_words, strings.NO_SCHEDULES_TEXT),
            ),
            class_name="strong",
        ),
        rx.el.ol(rx.foreach(Plan.upcoming, lambda at: rx.el.li(at)), class_name="plain-list"),
        class_name="stack",
    )
    return loads(Plan.loaded, Plan.problem, editors_only(form, viewer), retry=Plan.load)


def settings_tab() -> rx.Component:
    """What seldom changes."""
    selector = rx.el.form(
        rx.el.div(
            rx.el.label(
                "dbt selector ",
                rx.el.span("(optional)", class_name="optional"),
                html_for="selector",
            ),
            rx.el.input(
                id="selector",
                name="selector",
                key=Head.selector,
                default_value=Head.selector,
                class_name="input mono",
                auto_complete="off",
                read_only=editors_only(False, True),
                **unless(
                    editors_only("", strings.EDITORS_CHANGE_PIPELINES),
                    **{
                        "aria-describedby": "selector-error",
                        "aria-invalid": rx.cond(Head.selector_error != "", "true", "false"),
                    },
                ),
            ),
            rx.el.span(strings.SELECTOR_HELP, class_name="help"),
            rx.el.span(Head.selector_error, id="selector-error", class_name="err"),
            class_name="field",
        ),
        editors_only(
            button("Save", type="submit"), button("Save", refused=strings.EDITORS_CHANGE_PIPELINES)
        ),
        on_submit=Head.save_selector,
        class_name="stack start-button",
    )
    return rx.el.div(
        announced(Head.saved),
        rx.el.section(rx.el.h2("Rename"), _name(), class_name="stack"),
        rx.el.section(rx.el.h2("New columns at the source"), _policy(), class_name="stack"),
        rx.el.section(rx.el.h2("dbt models"), selector, class_name="stack"),
        rx.el.section(
            rx.el.h2("Delete"),
            rx.el.p(strings.DELETES_PIPELINE, class_name="soft"),
            rx.cond(
                Shell.may_admin,
                button("Delete pipeline", "danger", on_click=Head.ask_delete(True)),
                button("Delete pipeline", refused=strings.ADMINS_DELETE_PIPELINES),
            ),
            class_name="stack start",
        ),
        class_name="stack sections narrow-form",
    )


def _name() -> rx.Component:
    return rx.el.form(
        name_field(
            "pipeline-name",
            Head.name,
            Head.name_error,
            strings.RENAME_HELP,
            rx.cond(
                Head.prefix != "",
                rx.fragment(" Its tables start with ", rx.el.code(Head.prefix), "."),
            ),
            key=Head.name,
            read_only=editors_only(False, True),
            title=editors_only("", strings.EDITORS_CHANGE_PIPELINES),
        ),
        editors_only(
            button("Rename", type="submit"),
            button("Rename", refused=strings.EDITORS_CHANGE_PIPELINES),
        ),
        on_submit=Head.rename,
        class_name="stack start-button",
    )


def _policy() -> rx.Component:
    return rx.el.div(
        rx.el.label("Policy", html_for="policy", class_name="strong"),
        rx.el.select(
            *(
                rx.el.option(f"{name}, {what}", value=key)
                for key, (name, what) in strings.POLICIES.items()
            ),
            id="policy",
            value=Head.policy,
            on_change=Head.set_schema_policy,
            class_name="select auto",
            **unless(editors_only("", strings.EDITORS_CHANGE_PIPELINES)),
        ),
        class_name="row",
    )


def _change(row: Any) -> rx.Component:
    decide = rx.el.div(
        button(
            "Accept",
            on_click=Changes.decide(row.stream, row.column, True),
            custom_attrs={"aria-label": f"Accept {row.column}"},
        ),
        button(
            "Ignore",
            on_click=Changes.decide(row.stream, row.column, False),
            custom_attrs={"aria-label": f"Ignore {row.column}"},
        ),
        class_name="row wide tight-row",
    )
    return rx.el.tr(
        rx.el.td(time(row.found), class_name="not-narrow"),
        rx.el.td(row.stream, class_name="strong"),
        rx.el.td(rx.el.code(row.change, class_name="wrap")),
        rx.el.td(row.effect, class_name="not-narrow"),
        rx.el.td(row.used_by, class_name="not-narrow"),
        rx.el.td(rx.cond(row.pending, editors_only(decide, "Waits"), row.decision)),
    )
