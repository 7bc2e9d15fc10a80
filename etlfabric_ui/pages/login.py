"""Sign in."""

from __future__ import annotations

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.doors import api_form, door, password_field, text_field


def login() -> rx.Component:
    """Email, password; the answer is a cookie."""
    return door(
        strings.SIGN_IN,
        api_form(
            "/api/v1/auth/login",
            strings.SIGN_IN,
            text_field("email", "Email", kind="email", complete="username", auto_focus=True),
            password_field("password", "Password", complete="current-password"),
        ),
    )
