"""Fields of a form that a state takes: a label, bound to what one fills in or chooses from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import reflex as rx

from etlfabric_ui.components.elements import unless


def labeled(label: str, control: rx.Component, element: str, help_text: Any = "") -> rx.Component:
    """A label bound to its control, with help below."""
    said = rx.el.span(help_text, class_name="help") if help_text else rx.fragment()
    return rx.el.div(rx.el.label(label, html_for=element), control, said, class_name="field")


def entry(
    label: str,
    element: str,
    *,
    name: str = "",
    help_text: Any = "",
    refused: Any = "",
    **props: Any,
) -> rx.Component:
    """One line to fill in, under its label.

    Args:
        element: the input's id in the page, and what it is submitted as unless `name` says else.
        refused: why it is only read.
    """
    props = {"auto_complete": "off"} | props | _unless(refused, read_only=True)
    control = rx.el.input(id=element, name=name or element, class_name="input", **props)
    return labeled(label, control, element, help_text)


def choice(
    label: str,
    element: str,
    options: Iterable[tuple[str, str]],
    *,
    name: str = "",
    refused: Any = "",
    **props: Any,
) -> rx.Component:
    """A list to choose from, under its label; `options` are what is submitted and what is said."""
    control = rx.el.select(
        *(rx.el.option(said, value=key) for key, said in options),
        id=element,
        name=name or element,
        class_name="select",
        **props,
        **_unless(refused),
    )
    return labeled(label, control, element)


def _unless(refused: Any, **barred: bool) -> dict[str, Any]:
    """`unless`, and the props that only a field has that is refused."""
    if isinstance(refused, str) and not refused:
        return {}
    return {key: rx.cond(refused, value, False) for key, value in barred.items()} | unless(refused)
