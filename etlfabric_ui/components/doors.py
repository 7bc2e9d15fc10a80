"""The forms before the frame: one 400 px column that speaks to the API, not to a state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import icon


def door(title: str, *content: rx.Component) -> rx.Component:
    """A plain page with one form."""
    return rx.el.main(
        rx.el.div(icon("waypoints", size=20), rx.el.span(strings.PRODUCT), class_name="brand"),
        rx.el.h1(title, tab_index=-1),
        *content,
        class_name="door",
    )


def beside(*links: rx.Component) -> rx.Component:
    """Where else to go from here, below the form."""
    return rx.el.nav(*links, class_name="between", aria_label="Other ways in")


def api_form(
    path: str,
    submit: str,
    *fields: rx.Component,
    done: str = "",
    note: str = "",
    by_link: bool = False,
    invitation: Mapping[str, str] | None = None,
    go_to: str = "",
) -> rx.Component:
    """A form that panel.js posts to the API as JSON.

    Args:
        done: shown in the form's place on success; without it the browser goes on to `?next=`.
        note: shown above the form.
        by_link: the last part of the page's URL is sent as `token`.
        invitation: that token's invitation is told above the form, with what its role may (these).
        go_to: where the browser goes on success; `{slug}` is what was typed as such.
    """
    marks = {"data-api": path}
    if done:
        marks["data-done"] = done
    if by_link:
        marks["data-by-link"] = ""
    if invitation:
        marks |= {"data-invitation": "", "data-roles": json.dumps(dict(invitation))}
    if go_to:
        marks["data-go"] = go_to
    return rx.el.div(
        rx.el.div(note, class_name="form-note", role="status", custom_attrs={"data-form-note": ""}),
        rx.el.form(
            *fields,
            rx.el.div(class_name="form-error", role="alert", custom_attrs={"data-form-error": ""}),
            rx.el.button(submit, type="submit", class_name="btn primary"),
            no_validate=True,
            class_name="form",
            custom_attrs=marks,
        ),
        class_name="stack loose",
    )


def text_field(
    name: str,
    label: str,
    *,
    kind: Any = "text",
    complete: str = "",
    help_text: str = "",
    follows: str = "",
    only_new: bool = False,
    **props: Any,
) -> rx.Component:
    """A label bound to its input, help below, and room for its error.

    Args:
        follows: the field whose text it takes, as a slug, until somebody writes here.
        only_new: left out for people who have an account.
    """
    attrs = {"aria-describedby": f"{name}-error"} | ({"data-follows": follows} if follows else {})
    return rx.el.div(
        rx.el.label(label, html_for=name),
        rx.el.input(
            id=name,
            name=name,
            type=kind,
            required=True,
            class_name="input",
            auto_complete=complete,
            custom_attrs=attrs,
            **props,
        ),
        rx.el.span(help_text, class_name="help") if help_text else rx.fragment(),
        rx.el.span(id=f"{name}-error", class_name="err"),
        class_name="field only-new" if only_new else "field",
    )


def password_field(
    name: str,
    label: str,
    *,
    complete: str,
    new: bool = False,
    only_new: bool = False,
    element: str = "",
    **props: Any,
) -> rx.Component:
    """A masked input with Show; a new one has at least 12 characters."""
    rule = {"min_length": 12} if new else {}
    element = element or name  # where a page has two of a name
    attrs = {"aria-describedby": f"{element}-error"}
    if new:
        attrs["data-short"] = f"{strings.PASSWORD_RULE}."
    return rx.el.div(
        rx.el.label(label, html_for=element),
        rx.el.span(
            rx.el.input(
                id=element,
                name=name,
                type="password",
                required=True,
                class_name="input",
                auto_complete=complete,
                custom_attrs=attrs,
                **rule,
                **props,
            ),
            rx.el.button(
                "Show",
                type="button",
                custom_attrs={
                    "data-do": "reveal",
                    "aria-pressed": "false",
                    "aria-label": f"Show {label.lower()}",
                },
            ),
            class_name="secret",
        ),
        rx.el.span(strings.PASSWORD_RULE, class_name="help") if new else rx.fragment(),
        rx.el.span(id=f"{element}-error", class_name="err"),
        class_name="field only-new" if only_new else "field",
    )
