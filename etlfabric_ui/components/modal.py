"""Drawers and dialogs: native `<dialog>` elements that panel.js opens modally.

The browser traps the focus and closes on Esc; panel.js gives the focus back to the opener.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import button


def drawer(shown: Any, title: Any, on_close: Any, *content: rx.Component) -> rx.Component:
    """A sheet at the right edge, the whole screen on a phone, while `shown`."""
    return _modal("drawer", shown, title, on_close, *content)


def dialog(shown: Any, title: Any, on_close: Any, *content: rx.Component) -> rx.Component:
    """A question in the middle of the page, while `shown`."""
    return _modal("dialog", shown, title, on_close, *content)


def typed_name(
    shown: Any,
    *,
    what: str,
    name: Any,
    says: Any,
    error: Any,
    on_close: Any,
    on_submit: Any,
    possible: Any = True,
) -> rx.Component:
    """Deletes only what was named: “Type shop to confirm.”

    Args:
        says: what goes and what stays.
        error: why the last try was refused.
        possible: false when something is in the way, which `says` tells.
    """
    form = rx.el.form(
        rx.el.div(
            rx.el.label("Type ", rx.el.code(name), " to confirm", html_for="typed-name"),
            rx.el.input(
                id="typed-name",
                name="typed",
                class_name="input",
                auto_complete="off",
                custom_attrs={"aria-describedby": "typed-name-error"},
            ),
            rx.el.span(error, id="typed-name-error", class_name="err", role="alert"),
            class_name="field",
        ),
        rx.el.div(
            button(f"Keep {what}", on_click=on_close),
            button(rx.el.span("Delete ", name), "danger final", type="submit"),
            class_name="foot-actions end",
        ),
        on_submit=on_submit,
        class_name="form",
    )
    return dialog(
        shown,
        rx.fragment("Delete ", name),
        on_close,
        rx.el.p(says),
        rx.cond(possible, form, button("Close", on_click=on_close)),
    )


def _modal(
    kind: str, shown: Any, title: Any, on_close: Any, *content: rx.Component
) -> rx.Component:
    heading = f"{kind}-title"
    return rx.cond(
        shown,
        rx.el.dialog(
            rx.el.header(
                rx.el.h2(title, id=heading, class_name="cut grow"),
                button(
                    rx.fragment(),
                    "ghost icon",
                    icon_name="x",
                    on_click=on_close,
                    custom_attrs={"data-close": "", "aria-label": "Close"},
                ),
            ),
            rx.el.div(*content, class_name="inside"),
            class_name=f"modal {kind}",
            custom_attrs={"data-modal": "", "aria-labelledby": heading},
        ),
    )
