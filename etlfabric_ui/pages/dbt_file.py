"""dbt models: the file that is open, in the editor."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes
from etlfabric_ui.components.editor import SqlEditor, asks
from etlfabric_ui.components.elements import button, icon
from etlfabric_ui.components.panels import announced, notice
from etlfabric_ui.components.results import closes, diff_table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages.dbt_panels import panels, sql_refusal
from etlfabric_ui.state.dbt_models import DbtModelsState
from etlfabric_ui.state.dbt_panels import DbtPanelsState
from etlfabric_ui.state.shell import Shell

State: Any = DbtModelsState  # its attributes are Vars, which no type checker knows
Panels: Any = DbtPanelsState


def file() -> rx.Component:
    """Its head, what is to be known of it, the editor, and the panels below."""
    return rx.el.div(
        _file_head(),
        _notes(),
        rx.el.div(
            rx.el.div(_editor(), class_name="grow"),
            _reads(),
            class_name="editor-and-columns",
        ),
        rx.el.p(copy.WIDER, class_name="soft small only-narrow"),
        rx.cond(State.comparison.length() > 0, _comparison()),
        rx.cond(State.has_rows | (State.language != ""), panels()),
        class_name="stack loose grow",
    )


def _file_head() -> rx.Component:
    return rx.el.div(
        rx.link(
            icon("chevron-left"),
            "All files",
            href=routes.to(routes.DBT_MODELS, org_slug=Shell.org),
            class_name="btn ghost only-narrow-flex",
            unstyled=True,
        ),
        rx.el.h2(State.path, class_name="mono-id cut", title=State.path),
        rx.cond(
            State.dirty,
            rx.el.span(
                rx.el.span("● ", class_name="unsaved-dot"),
                copy.UNSAVED,
                class_name="soft nowrap",
                custom_attrs={"data-unsaved": ""},
            ),
        ),
        rx.el.div(
            rx.cond(State.has_rows & (State.language == "sql"), _read_buttons()),
            *_write_buttons(),
            class_name="actions",
        ),
        class_name="head file-head",
    )


def _read_buttons() -> rx.Component:
    return rx.fragment(
        rx.cond(
            ~State.read_only,
            button(
                "Format",
                "not-narrow",
                busy=State.busy == "format",
                custom_attrs=asks("format"),
            ),
        ),
        button(
            "Preview",
            busy=Panels.busy == "preview",
            icon_name="play",
            title="⌘↵",
            custom_attrs=asks("preview"),
        ),
        button(
            "Compile",
            busy=Panels.busy == "compiled",
            title="⇧⌘↵",
            custom_attrs=asks("compile"),
        ),
    )


def _write_buttons() -> tuple[rx.Component, ...]:
    may_not = rx.cond(Shell.may_edit, "", copy.EDITORS_WRITE)
    save = button(
        rx.cond(State.busy == "save", "Saving …", "Save"),
        "primary not-narrow",
        busy=State.busy == "save",
        refused=may_not,
        title="⌘S",
        custom_attrs=asks("save"),
    )
    unlock = button(
        copy.COPY_TO_EDIT,
        "not-narrow",
        icon_name="copy",
        refused=may_not,
        on_click=State.copy_to_edit,
    )
    delete = button(
        rx.el.span("Delete", class_name="sr"),
        "ghost icon not-narrow",
        icon_name="trash-2",
        refused=may_not,
        title="Delete",
        on_click=State.open_dialog("delete"),
    )
    return rx.cond(State.generated == "", save, unlock), rx.cond(State.deletable, delete)


def _notes() -> rx.Component:
    return rx.fragment(
        rx.cond(
            State.generated != "",
            rx.el.p(icon("lock"), State.generated, class_name="row soft"),
        ),
        announced(State.note, icon("info"), State.note, class_name="row"),
        rx.cond(State.conflict != "", _conflict()),
        rx.cond(State.error.kind != "", sql_refusal(State.error, State.error_line)),
    )


def _conflict() -> rx.Component:
    return notice(
        "amber",
        State.conflict,
        button(copy.COMPARE, "primary", custom_attrs=asks("compare")),
        button(copy.SAVE_OVER, custom_attrs=asks("save", base=State.theirs_version)),
        button(copy.TAKE_THEIRS, on_click=State.take_theirs),
        remedy="Compare, then save.",
    )


def _comparison() -> rx.Component:
    return rx.el.section(
        rx.el.div(
            rx.el.h3("Compare"),
            closes("Close the comparison", on_click=State.close_comparison),
            class_name="row between",
        ),
        diff_table(State.comparison, copy.THEIRS, copy.MINE),
        class_name="stack",
    )


def _editor() -> rx.Component:
    return SqlEditor.create(
        name=State.path,
        value=State.content,
        version=State.version,
        saved=State.saved,
        keep=State.keep,
        language=State.language,
        label=State.path,
        refs=True,
        tables=State.completions,
        read_only=State.read_only,
        offer=State.offer,
        offer_number=State.offer_number,
        error_line=State.error_line,
        error_said=State.error.message,
        on_save=lambda text, version: [Panels.clear(), State.save(text, version)],
        on_format=State.format,
        on_compare=State.compare,
        on_dirty=State.mark_dirty,
        on_preview=Panels.preview,
        on_compile=Panels.compile,
    )


def _reads() -> rx.Component:
    """Columns of what the text refers to."""

    def one(table: Any) -> rx.Component:
        return rx.el.div(
            rx.el.h3("Columns of ", table.name),
            rx.cond(
                table.columns.length() > 0,
                rx.el.ul(
                    rx.foreach(
                        table.columns,
                        lambda column: rx.el.li(
                            rx.el.span(column.name, class_name="grow cut"),
                            rx.el.span(column.type, class_name="soft small nowrap"),
                            class_name="row",
                        ),
                    ),
                ),
                rx.el.p("Not built yet.", class_name="soft small"),
            ),
            class_name="stack tight",
        )

    return rx.cond(
        State.reads.length() > 0,
        rx.el.aside(
            rx.foreach(State.reads, one),
            class_name="reads stack loose",
            tab_index=0,
            custom_attrs={"aria-label": "Columns"},
        ),
    )
