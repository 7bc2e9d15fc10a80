"""One's own account."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.dialogs import refusal
from etlfabric_ui.components.doors import api_form, password_field, text_field
from etlfabric_ui.components.elements import button, time
from etlfabric_ui.components.fields import entry
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import announced, loads
from etlfabric_ui.components.tables import table
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.pages.settings import part
from etlfabric_ui.state.account import AccountState

State: Any = AccountState


def account() -> rx.Component:
    """Name, address, password, sessions, how the panel behaves here."""
    heads = [("Device", ""), ("Place", ""), ("Signed in", ""), ("", "num")]
    return framed(
        "account",
        heading("Account"),
        rx.el.div(
            loads(
                State.loaded,
                State.problem,
                rx.el.div(
                    part("You", _name()),
                    part("Email", _email(), text=f"You sign in as {State.email}."),
                    part("Password", _password(), text="Changing it signs out all other sessions."),
                    part(
                        "Sessions",
                        table(heads, rx.foreach(State.sessions, _session), "Sessions"),
                        rx.el.div(
                            button(
                                "Sign out everywhere",
                                custom_attrs={"data-do": "sign-out-everywhere"},
                            )
                        ),
                    ),
                    part("This browser", _browser()),
                    class_name="stack sections",
                ),
                retry=State.load,
            ),
            class_name="column",
        ),
    )


def _name() -> rx.Component:
    return rx.form(
        rx.el.div(
            entry(
                "Name",
                "my-name",
                name="name",
                key=State.name,
                default_value=State.name,
                auto_complete="name",
            ),
            button("Save", type="submit"),
            class_name="inline-form",
        ),
        refusal(State, "name"),
        on_submit=State.rename,
        class_name="form",
    )


def _email() -> rx.Component:
    letter = f"A letter to {State.waiting} waits to be opened; until then you sign in as before."
    unconfirmed = rx.el.div(
        rx.el.span("This address is not confirmed yet."),
        button("Send the letter again", custom_attrs={"data-do": "letter"}),
        rx.el.span(role="status", custom_attrs={"data-form-note": ""}),
        class_name="row wide",
    )
    return rx.fragment(
        announced(State.waiting, rx.fragment(letter), class_name=""),
        rx.cond(State.confirmed, rx.fragment(), unconfirmed),
        _new_email(),
    )


def _new_email() -> rx.Component:
    return rx.el.details(
        rx.el.summary("Change email"),
        rx.el.div(
            api_form(
                "/api/v1/auth/email",
                "Change email",
                text_field("email", "New email", kind="email", complete="email"),
                password_field(
                    "current_password",
                    "Current password",
                    complete="current-password",
                    element="email-password",
                ),
                go_to="/account",
            ),
            class_name="inside",
        ),
        class_name="fold",
    )


def _password() -> rx.Component:
    return rx.el.details(
        rx.el.summary(strings.CHANGE_PASSWORD),
        rx.el.div(
            api_form(
                "/api/v1/auth/password",
                strings.CHANGE_PASSWORD,
                password_field("current_password", "Old password", complete="current-password"),
                password_field("new_password", "New password", complete="new-password", new=True),
                go_to="/account",
            ),
            class_name="inside",
        ),
        class_name="fold",
    )


def _session(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.device, class_name="strong"),
        rx.el.td(row.place),
        rx.el.td(time(row.since)),
        rx.el.td(rx.cond(row.current, "This one", ""), class_name="num soft"),
    )


def _browser() -> rx.Component:
    keys = {"data-do": "keys-toggle", "data-keys-switch": "", "aria-checked": "true"}
    keys["aria-labelledby"] = "keys-label"
    return rx.el.dl(
        rx.el.dt("Theme"),
        rx.el.dd(button("Light or dark", on_click=rx.toggle_color_mode)),
        rx.el.dt("Keyboard shortcuts", id="keys-label"),
        rx.el.dd(
            rx.el.button(type="button", role="switch", class_name="btn", custom_attrs=keys),
            button("Show them", "ghost", custom_attrs={"data-do": "keys"}),
            class_name="row",
        ),
        class_name="kv facts",
    )
