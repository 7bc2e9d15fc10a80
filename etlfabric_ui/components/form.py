"""Fields of a form made from a JSON Schema."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings


def schema_field(one: Any) -> rx.Component:
    """A `FieldView`: label bound, help below, the error tied to it."""
    return rx.el.div(
        rx.el.label(
            one.label,
            rx.cond(
                ~one.required & ~one.stored & (one.kind != "switch"),
                rx.el.span(" (optional)", class_name="optional"),
            ),
            html_for=one.element,
        ),
        rx.match(
            one.kind,
            ("secret", _secret(one)),
            ("segments", _segments(one)),
            ("select", _select(one)),
            ("switch", _switch(one)),
            ("area", _area(one)),
            ("json", _area(one)),
            ("number", _input(one, input_mode="numeric")),
            _input(one),
        ),
        rx.cond(one.help != "", rx.el.span(one.help, class_name="help")),
        rx.el.span(one.error, id=f"{one.element}-error", class_name="err"),
        class_name="field",
    )


def name_field(
    element: str, name: Any, error: Any, *help_: str | rx.Component, **props: Any
) -> rx.Component:
    """What an object is called, submitted as `name`.

    Args:
        element: the input's id in the page.
        error: why it was refused.
        help_: what hangs on the name, below it.
        props: further ones of the input, such as `key` and `read_only`.
    """
    return rx.el.div(
        rx.el.label("Name", html_for=element),
        rx.el.input(
            id=element,
            name="name",
            default_value=name,
            required=True,
            class_name="input",
            auto_complete="off",
            custom_attrs={
                "aria-describedby": f"{element}-help {element}-error",
                "aria-invalid": rx.cond(error != "", "true", "false"),
            },
            **props,
        ),
        rx.el.span(*help_, id=f"{element}-help", class_name="help"),
        rx.el.span(error, id=f"{element}-error", class_name="err"),
        class_name="field",
    )


def fold(one: Any) -> rx.Component:
    """Optional fields behind their summary."""
    return rx.el.details(
        rx.el.summary(
            rx.el.span(one.title, class_name="strong"), rx.el.span(one.summary, class_name="soft")
        ),
        rx.el.div(rx.foreach(one.fields, schema_field), class_name="inside"),
        class_name="fold",
        open=one.open,
    )


def _attrs(one: Any) -> dict[str, Any]:
    return {
        "aria-describedby": f"{one.element}-error",
        "aria-invalid": rx.cond(one.error != "", "true", "false"),
    }


def _input(one: Any, **props: Any) -> rx.Component:
    return rx.el.input(
        id=one.element,
        name=one.name,
        key=one.name + one.value,
        default_value=one.value,
        required=one.required,
        class_name="input",
        auto_complete="off",
        custom_attrs=_attrs(one),
        **props,
    )


def _secret(one: Any) -> rx.Component:
    return rx.fragment(
        rx.el.span(
            rx.el.input(
                id=one.element,
                name=one.name,
                type="password",
                required=one.required,
                placeholder=rx.cond(one.stored, "Saved. Leave empty to keep it.", ""),
                class_name="input",
                auto_complete="new-password",
                custom_attrs=_attrs(one),
            ),
            rx.el.button(
                "Show",
                type="button",
                custom_attrs={
                    "data-do": "reveal",
                    "aria-pressed": "false",
                    "aria-label": f"Show {one.label}",
                },
            ),
            class_name="secret",
        ),
        rx.el.span(strings.SECRET_HELP, class_name="help"),
    )


def _segments(one: Any) -> rx.Component:
    return rx.el.div(
        rx.foreach(
            one.options,
            lambda option: rx.el.label(
                rx.el.input(
                    type="radio", name=one.name, value=option, default_checked=option == one.value
                ),
                option,
            ),
        ),
        class_name="segments",
        role="radiogroup",
        custom_attrs={"aria-label": one.label},
    )


def _select(one: Any) -> rx.Component:
    return rx.el.select(
        rx.foreach(one.options, lambda option: rx.el.option(option, value=option)),
        id=one.element,
        name=one.name,
        default_value=one.value,
        class_name="select",
        custom_attrs=_attrs(one),
    )


def _switch(one: Any) -> rx.Component:
    return rx.el.input(
        id=one.element,
        name=one.name,
        type="checkbox",
        default_checked=one.value.lower() == "true",
        class_name="check",
    )


def _area(one: Any) -> rx.Component:
    return rx.el.textarea(
        id=one.element,
        name=one.name,
        key=one.name + one.value,
        default_value=one.value,
        required=one.required,
        class_name="area",
        spell_check=False,
        custom_attrs=_attrs(one),
    )
