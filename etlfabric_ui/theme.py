"""The design tokens that Python needs; the rest stands in assets/panel.css under the same names."""

from __future__ import annotations

import reflex as rx

ICON_SIZE = 16
ICON_STROKE = 1.75

STATE_ICONS = {
    "queued": "clock",
    "paused": "pause",
    "never_run": "circle-dashed",
    "waiting": "circle-dashed",
    "running": "loader-circle",
    "succeeded": "circle-check",
    "unchanged": "circle-check",
    "healthy": "circle-check",
    "ready": "circle-check",
    "failed": "circle-x",
    "failing": "circle-x",
    "attention": "circle-x",
    "canceled": "circle-slash",
    "skipped": "circle-slash",
    "lost": "triangle-alert",
    "late": "triangle-alert",
    "warning": "triangle-alert",
    "untested": "circle-dashed",
    "suspended": "pause",
    "on": "circle-check",
    "off": "triangle-alert",
    "active": "circle-check",
    "provisioning": "clock",
    "erasing": "clock",
}
"""State → lucide icon. A state is never told by its color alone."""


def radix() -> rx.Component:
    """The Radix theme around every page."""
    return rx.theme(
        accent_color="iris",
        gray_color="slate",
        radius="medium",
        scaling="100%",
        panel_background="solid",
        has_background=False,
    )
