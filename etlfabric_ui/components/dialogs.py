"""Dialogs, opened and closed in the browser; and what a form was refused for, below it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button, copy_button


def opener(label: Any, dialog: Any, kind: str = "", **props: Any) -> rx.Component:
    """A button that opens the dialog with this id."""
    attrs = {"data-do": "open", "data-dialog": dialog} | props.pop("custom_attrs", {})
    return button(label, kind, custom_attrs=attrs, **props)


def confirm(
    dialog: Any, title: Any, text: Any, action: Any, on_submit: Any, *, typed: Any = ""
) -> rx.Component:
    """Says what will happen, and does it.

    Args:
        typed: what must be typed first; the button does nothing until then.
        on_submit: handler of the form; what was typed is its field `typed`.
    """
    asks = isinstance(typed, rx.Var) or bool(typed)
    parts = [rx.el.h2(title), rx.el.p(text)]
    cancel = button("Cancel", custom_attrs={"data-do": "close"})
    if asks:
        final = button(
            action,
            "danger final",
            type="submit",
            custom_attrs={"data-confirmed": ""},
            refused="Type it first.",
        )
        parts += [_typed(typed), rx.el.div(final, cancel, class_name="row")]
        inside = rx.form(*parts, on_submit=on_submit, class_name="form")
    else:  # no form: Reflex lifts its handler out of a list, where the row is unknown
        attrs = {"data-do": "close"}
        final = button(action, "danger final", on_click=on_submit, custom_attrs=attrs)
        inside = rx.el.div(*parts, rx.el.div(final, cancel, class_name="row"), class_name="form")
    return rx.el.dialog(inside, id=dialog, class_name="ask", custom_attrs={"aria-label": title})


def _typed(typed: Any) -> rx.Component:
    return rx.el.label(
        rx.el.span("Type ", rx.el.b(typed), " to confirm."),
        rx.el.input(
            name="typed",
            class_name="input",
            auto_complete="off",
            spell_check=False,
            custom_attrs={"data-confirm": typed},
        ),
        class_name="field",
    )


def refusal(state: Any, form: str) -> rx.Component:
    """Why this form was refused."""
    return rx.cond(
        state.wrong == form,
        rx.el.p(state.wrong_said, class_name="form-error", role="alert"),
    )


def shown_once(title: Any, secret: Any, note: Any) -> rx.Component:
    """Something that is on the page this once, while there is a `secret`."""
    return once(secret != "", to_copy(title, secret), note)


def once(while_: Any, what: Any, note: Any) -> rx.Component:
    """What `to_copy` makes, one or several, with a note below."""
    words = rx.el.div(what, rx.el.p(note, class_name="soft"), class_name="stack grow")
    shown = rx.cond(while_, rx.el.div(words, class_name="notice blue"))
    return rx.el.div(shown, class_name="live", role="status")


def to_copy(title: Any, secret: Any) -> rx.Component:
    """One secret, whole, with what it is."""
    return rx.el.div(
        rx.el.p(title, class_name="strong"),
        rx.el.div(
            rx.el.code(secret, class_name="snippet grow"), copy_button(secret), class_name="row"
        ),
        class_name="stack",
    )
