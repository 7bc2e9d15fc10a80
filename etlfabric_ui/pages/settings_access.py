"""Settings: tokens and BI access."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.dialogs import confirm, copy_button, opener, refusal, shown_once
from etlfabric_ui.components.elements import button, time
from etlfabric_ui.components.fields import choice, entry
from etlfabric_ui.components.panels import empty
from etlfabric_ui.components.tables import table
from etlfabric_ui.pages.settings import part, section
from etlfabric_ui.state.settings_access import BiState, TokensState
from etlfabric_ui.state.shell import Shell

Tokens: Any = TokensState
Bi: Any = BiState
SCOPES = (
    ("", "All you may do here"),
    ("read", "Read only"),
    ("viewer", "As viewer"),
    ("editor", "As editor"),
    ("admin", "As admin"),
)
LIVES = (("30", "30 days"), ("90", "90 days"), ("366", "1 year"))


def tokens() -> rx.Component:
    """For the CLI and programs."""
    heads = [("Token", ""), ("Owner", "not-narrow"), ("May", "not-narrow")]
    heads += [("Last used", ""), ("Expires", ""), ("", "num")]
    return section(
        "tokens",
        Tokens,
        part(
            "New token",
            _create(),
            refusal(Tokens, "token"),
            shown_once("Your new token", Tokens.made, strings.TOKEN_ONCE),
        ),
        rx.cond(
            Tokens.rows.length() > 0,
            part("Tokens", table(heads, rx.foreach(Tokens.rows, _token), "Tokens")),
            empty(strings.NO_TOKENS, strings.NO_TOKENS_TEXT),
        ),
    )


def bi_access() -> rx.Component:
    """A stable read-only login."""
    facts = (
        ("Host", Bi.host),
        ("Port", Bi.port),
        ("Database", Bi.database),
        ("Login", Bi.username),
        ("Schema", Bi.db_schema),
    )
    return section(
        "bi-access",
        Bi,
        part(
            "How tools connect",
            rx.el.dl(
                *(
                    item
                    for label, value in facts
                    for item in (
                        rx.el.dt(label),
                        rx.el.dd(
                            rx.el.code(value, class_name="grow cut", title=value),
                            copy_button(value),
                            class_name="row",
                        ),
                    )
                ),
                class_name="kv facts",
            ),
            shown_once("The new password", Bi.password, strings.TOKEN_ONCE),
            rx.el.div(opener("Roll password", "roll", "danger", refused=Shell.refused_admin)),
            confirm(
                "roll", "Roll password", strings.ROLL_WARNING, "Roll password", lambda _: Bi.roll()
            ),
            text="A login that reads the marts and nothing else.",
        ),
        part(
            "Snippets",
            rx.foreach(
                Bi.snippets,
                lambda one: rx.el.div(
                    rx.el.div(
                        rx.el.h3(one.title, class_name="grow"),
                        copy_button(one.text),
                        class_name="row",
                    ),
                    rx.el.pre(one.text, class_name="snippet", tab_index=0),
                    class_name="stack",
                ),
            ),
        ),
    )


def _create() -> rx.Component:
    return rx.form(
        rx.el.div(
            entry("Name", "name", required=True, placeholder="nightly export"),
            choice("May", "scope", SCOPES, default_value=""),
            choice("Expires", "days", LIVES, default_value="90"),
            button("Create token", "primary", type="submit"),
            class_name="inline-form",
        ),
        on_submit=Tokens.create,
        reset_on_submit=True,
    )


def _token(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="strong"),
        rx.el.td(row.owner, class_name="not-narrow"),
        rx.el.td(row.scope, class_name="not-narrow"),
        rx.el.td(time(row.used)),
        rx.el.td(time(row.expires)),
        rx.el.td(
            opener(
                "Revoke",
                f"revoke-{row.id}",
                refused=rx.cond(row.revocable, "", "Its owner uses it in other orgs too."),
                custom_attrs={"aria-label": f"Revoke {row.name}"},
            ),
            confirm(
                f"revoke-{row.id}",
                f"Revoke {row.name}",
                "Programs that use it are refused from then on.",
                "Revoke",
                Tokens.revoke(row.id),
            ),
            class_name="num",
        ),
    )
