"""dbt models: what is asked before a file is made or deleted."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.dbt_models import FOLDERS, DbtModelsState

State: Any = DbtModelsState  # its attributes are Vars, which no type checker knows


def _dialog(name: str, title: Any, *content: rx.Component) -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title(title, as_="h2", size="3"),
            *content,
            rx.cond(
                State.dialog_problem.kind != "",
                rx.el.p(
                    State.dialog_problem.message,
                    " ",
                    State.dialog_problem.remedy,
                    class_name="form-error",
                    role="alert",
                ),
            ),
            max_width="480px",
            aria_describedby="",
        ),
        open=State.dialog == name,
        on_open_change=State.open_dialog(""),
    )


def new_dialog() -> rx.Component:
    """Folder and name of a file to come."""
    return _dialog(
        "new",
        copy.NEW_DBT_MODEL,
        rx.el.form(
            rx.el.div(
                rx.el.label("Folder", html_for="new-folder"),
                rx.el.select(
                    *(rx.el.option(one, value=one) for one in FOLDERS),
                    name="folder",
                    id="new-folder",
                    default_value="marts",
                    class_name="select",
                ),
                class_name="field",
            ),
            rx.el.div(
                rx.el.label("Name", html_for="new-name"),
                rx.el.input(
                    name="name",
                    id="new-name",
                    class_name="input",
                    placeholder="daily_orders",
                    required=True,
                    auto_focus=True,
                    auto_complete="off",
                    custom_attrs={"aria-describedby": "new-name-help"},
                ),
                rx.el.span(
                    "The file's name becomes the table's name.",
                    id="new-name-help",
                    class_name="help",
                ),
                class_name="field",
            ),
            _dialog_buttons(button("Create", "primary", type="submit")),
            on_submit=State.create,
            class_name="form",
        ),
    )


def delete_dialog() -> rx.Component:
    """Deletes only what was named."""
    return _dialog(
        "delete",
        f"Delete {State.name}?",
        rx.el.form(
            rx.el.p(copy.DELETE_TEXT),
            rx.el.div(
                rx.el.label(f"Type {State.name} to confirm", html_for="delete-name"),
                rx.el.input(
                    name="typed", id="delete-name", class_name="input", auto_complete="off"
                ),
                class_name="field",
            ),
            _dialog_buttons(button("Delete", "danger final", type="submit")),
            on_submit=State.delete,
            class_name="form",
        ),
    )


def _dialog_buttons(do: rx.Component) -> rx.Component:
    return rx.el.div(
        button("Cancel", on_click=State.open_dialog("")), do, class_name="foot-actions end"
    )
