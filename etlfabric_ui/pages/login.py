"""Before the frame: sign in, sign up, invitations and passwords. Each form goes to the API."""

from __future__ import annotations

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.doors import api_form, beside, door, password_field, text_field


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
        beside(
            rx.link(strings.FORGOT_QUESTION, href=routes.FORGOT),
            rx.el.span(
                f"{strings.NEW_HERE} ",
                rx.link(strings.CREATE_ACCOUNT_LINK, href=routes.SIGNUP),
            ),
        ),
    )


def signup() -> rx.Component:
    """A person and their org at once."""
    return door(
        strings.CREATE_ACCOUNT_LINK,
        api_form(
            "/api/v1/auth/signup",
            strings.CREATE_ACCOUNT,
            text_field("name", "Name", complete="name", auto_focus=True),
            text_field("email", "Work email", kind="email", complete="username"),
            password_field("password", "Password", complete="new-password", new=True),
            text_field("org_name", "Organization", complete="organization"),
            text_field(
                "slug",
                "Organization's name in URLs",
                help_text=strings.SLUG_HELP,
                complete="off",
                follows="org_name",
            ),
        ),
        beside(rx.link(strings.HAVE_ACCOUNT, href=routes.LOGIN)),
    )


def forgot() -> rx.Component:
    """Ask for a link by mail; the same answer for everybody."""
    return door(
        strings.FORGOT,
        api_form(
            "/api/v1/auth/forgot",
            strings.SEND_LINK,
            text_field("email", "Email", kind="email", complete="username", auto_focus=True),
            done=strings.FORGOT_DONE,
        ),
        beside(rx.link(strings.SIGN_IN, href=routes.LOGIN)),
    )


def reset() -> rx.Component:
    """A new password, by the link of a mail."""
    return door(
        strings.NEW_PASSWORD,
        api_form(
            "/api/v1/auth/reset",
            strings.CHANGE_PASSWORD,
            password_field("password", "New password", complete="new-password", new=True),
            done=strings.RESET_DONE,
            by_link=True,
        ),
        beside(
            rx.link(strings.SIGN_IN, href=routes.LOGIN),
            rx.link(strings.NEW_LINK, href=routes.FORGOT),
        ),
    )


def password() -> rx.Component:
    """An own password in place of the one-time login."""
    return door(
        strings.OWN_PASSWORD,
        api_form(
            "/api/v1/auth/password",
            strings.CHANGE_PASSWORD,
            password_field("current_password", "One-time password", complete="current-password"),
            password_field("new_password", "New password", complete="new-password", new=True),
            note=strings.SET_PASSWORD,
        ),
        beside(rx.link(strings.SIGN_IN, href=routes.LOGIN)),
    )


def verify() -> rx.Component:
    """An address is theirs, by the link of a mail: on a press, because mail scanners open links."""
    return door(
        strings.CONFIRM_ADDRESS,
        api_form(
            "/api/v1/auth/verify",
            strings.CONFIRM_ADDRESS,
            done=strings.CONFIRM_DONE,
            by_link=True,
        ),
        beside(rx.link(strings.SIGN_IN, href=routes.LOGIN)),
    )


def invite() -> rx.Component:
    """Join an org, as a new person or as the one who is signed in."""
    return door(
        strings.INVITED,
        api_form(
            "/api/v1/invitations/accept",
            strings.JOIN,
            text_field("name", "Name", complete="name", only_new=True),
            password_field(
                "password", "Password", complete="new-password", new=True, only_new=True
            ),
            by_link=True,
            invitation=strings.ROLES,
        ),
        beside(
            _here_again(strings.SIGN_IN, "sign-in-here"),
            _here_again(strings.SWITCH_ACCOUNT, "switch-account", "hidden"),
        ),
    )


def _here_again(label: str, what: str, kind: str = "") -> rx.Component:
    """To the sign-in page, and from there back to this one."""
    return rx.el.button(
        label, type="button", class_name=f"btn linkish {kind}", custom_attrs={"data-do": what}
    )
