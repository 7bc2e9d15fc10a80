"""Tabs that are links: the tab is in the URL, so Back and a colleague find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx


def tab_bar(base: Any, current: Any, tabs: Sequence[tuple[str, Any]]) -> rx.Component:
    """`tabs` are (key, label); the page's address is `base?tab=key`."""
    return rx.el.nav(
        *(
            rx.link(
                label,
                href=f"{base}?tab={key}",
                unstyled=True,
                custom_attrs={"aria-current": rx.cond(current == key, "page", "false")},
            )
            for key, label in tabs
        ),
        class_name="tabs",
        custom_attrs={"aria-label": "Parts of this page"},
    )
