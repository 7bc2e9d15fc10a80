"""dbt models: tree, editor, results."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.elements import button, icon, search, state_icon
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import empty, loads, no_match
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages.dbt_dialogs import delete_dialog, new_dialog
from etlfabric_ui.pages.dbt_file import file
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.dbt_models import FOLDERS, DbtModelsState
from etlfabric_ui.state.shell import Shell

State: Any = DbtModelsState  # its attributes are Vars, which no type checker knows


def dbt_models() -> rx.Component:
    """The project's files; one of them open."""
    return framed(
        "dbt-models",
        heading(copy.DBT_MODELS, _new()),
        loads(
            State.loaded,
            State.problem,
            rx.el.div(
                _tree(),
                rx.cond(State.path != "", file(), _nothing_open()),
                class_name=rx.cond(State.path != "", "work models open", "work models"),
            ),
            retry=State.load,
            overview=routes.to(routes.OVERVIEW, org_slug=Shell.org),
        ),
        new_dialog(),
        delete_dialog(),
    )


def _new() -> rx.Component:
    return button(
        copy.NEW,
        icon_name="plus",
        refused=rx.cond(Shell.may_edit, "", copy.EDITORS_WRITE),
        on_click=State.open_dialog("new"),
        custom_attrs={"data-new": ""},
    )


def _tree() -> rx.Component:
    def leaf(one: Any) -> rx.Component:
        return rx.link(
            rx.cond(
                one.locked,
                icon("lock"),
                rx.cond(one.state != "", state_icon(one.state), icon("file-code-2")),
            ),
            rx.el.span(one.name, class_name="grow cut"),
            rx.cond(one.draft, rx.el.span("draft", class_name="soft small")),
            rx.cond(
                one.current & State.dirty,
                rx.el.span("●", class_name="unsaved-dot", title=copy.UNSAVED),
            ),
            href=one.href,
            unstyled=True,
            class_name="leaf",
            title=one.path,
            custom_attrs={"aria-current": rx.cond(one.current, "page", "false"), "data-row": ""},
        )

    def folder(name: Any) -> rx.Component:
        return rx.el.div(
            rx.el.h3(
                rx.match(name, *((one, one) for one in FOLDERS), name),
                rx.cond(
                    (name == "staging") & (State.staging_tables > 0),
                    rx.el.span(icon("lock", size=12), "generated", class_name="row"),
                ),
                class_name="folder",
            ),
            rx.foreach(
                State.files, lambda one: rx.cond(one.folder == name, leaf(one), rx.fragment())
            ),
            class_name="tree",
        )

    return rx.el.nav(
        search(copy.FIND, default_value=State.query, on_change=State.search.debounce(150)),
        rx.foreach(State.folders, folder),
        rx.cond(
            (State.query != "") & (State.files.length() == 0),
            no_match("files", State.search(""), beside=True),
        ),
        class_name="stack tree-pane",
        custom_attrs={"aria-label": "Files"},
    )


def _nothing_open() -> rx.Component:
    action = button(
        copy.NEW_DBT_MODEL,
        "primary",
        icon_name="plus",
        refused=rx.cond(Shell.may_edit, "", copy.EDITORS_WRITE),
        on_click=State.open_dialog("new"),
    )
    return rx.cond(
        State.folders.contains("marts"),
        rx.el.p(copy.CHOOSE_FILE, class_name="soft pad"),
        rx.cond(
            State.staging_tables > 0,
            empty(_staging_ready(), "", [action]),
            empty(copy.NO_FILES, copy.NO_FILES_TEXT, [action]),
        ),
    )


def _staging_ready() -> Any:
    before, after = strings.NO_MARTS.split("{tables}")
    return before + State.staging_tables.to(str) + after
