"""What every section of the settings stands in: a menu beside a column."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import loads
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.state.shell import Shell


def section(key: str, state: Any, *content: rx.Component) -> rx.Component:
    """A section's page; each saves on its own."""
    base = f"/o/{Shell.org}/settings"
    links = [
        rx.link(
            label,
            href=f"{base}/{one}",
            class_name="leaf",
            unstyled=True,
            custom_attrs={"aria-current": "page"} if one == key else {},
        )
        for one, label in strings.SECTIONS
    ]
    return framed(
        "settings",
        heading("Settings"),
        rx.el.div(
            rx.el.nav(*links, class_name="tree wide-only", aria_label="Settings"),
            rx.el.select(
                *(rx.el.option(label, value=one) for one, label in strings.SECTIONS),
                value=key,
                on_change=lambda one: rx.redirect(f"{base}/{one}"),
                class_name="select narrow-only",
                custom_attrs={"aria-label": "Section"},
            ),
            rx.el.div(
                loads(
                    state.loaded,
                    state.problem,
                    rx.el.div(*content, class_name="stack sections"),
                    retry=state.load,
                    overview=f"/o/{Shell.org}/overview",
                ),
                class_name="column",
            ),
            class_name="settings",
        ),
    )


def part(title: Any, *content: rx.Component, text: Any = "") -> rx.Component:
    """A part of a section under its own heading."""
    said = rx.el.p(text, class_name="soft") if text else rx.fragment()
    return rx.el.section(rx.el.h2(title), said, *content, class_name="stack loose")
