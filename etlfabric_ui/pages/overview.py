"""Overview: is my data all right?"""

from __future__ import annotations

import reflex as rx

from etlfabric_ui.components.frame import heading
from etlfabric_ui.pages.framed import framed


def overview() -> rx.Component:
    """The answer in one sentence, what needs someone, figures, what comes next."""
    return framed("overview", heading("Overview"))
