"""Settings: members and invitations."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.dialogs import confirm, once, opener, refusal, to_copy
from etlfabric_ui.components.elements import button, time
from etlfabric_ui.components.fields import choice, entry
from etlfabric_ui.components.tables import table
from etlfabric_ui.pages.settings import part, section
from etlfabric_ui.state.settings_people import MembersState
from etlfabric_ui.state.shell import Shell

State: Any = MembersState


def members() -> rx.Component:
    """Who is in, as what, and who is asked to join."""
    heads = [("Member", ""), ("Role", ""), ("Last seen", "not-narrow"), ("", "num")]
    return section(
        "members",
        State,
        part("Invite people", _invite(), refusal(State, "invite"), _links()),
        part(
            "Members",
            table(heads, rx.foreach(State.rows, _member), "Members"),
            refusal(State, "members"),
            rx.el.dl(
                *(
                    item
                    for role, text in strings.ROLES.items()
                    for item in (rx.el.dt(role.capitalize()), rx.el.dd(text))
                ),
                class_name="kv small",
            ),
            text=strings.ONE_OWNER,
        ),
        rx.cond(State.invited.length() > 0, part("Invitations that still work", _invited())),
    )


def _invite() -> rx.Component:
    return rx.form(
        rx.el.div(
            entry(
                "Email, one or several",
                "emails",
                placeholder="sam@example.com, kim@example.com",
                required=True,
                refused=Shell.refused_admin,
            ),
            choice(
                "Role",
                "role",
                [(one, one.capitalize()) for one in strings.ROLES],
                default_value="viewer",
                refused=Shell.refused_admin,
            ),
            button("Invite", "primary", type="submit", refused=Shell.refused_admin),
            class_name="inline-form",
        ),
        on_submit=State.invite,
    )


def _links() -> rx.Component:
    each = rx.foreach(State.links, lambda one: to_copy(f"Link for {one.email}", one.link))
    return once(State.note != "", each, State.note)


def _member(row: Any) -> rx.Component:
    choice = rx.el.select(
        *(rx.el.option(one.capitalize(), value=one) for one in strings.ROLES),
        value=row.role,
        on_change=lambda role: State.set_role(row.id, role),
        class_name="select auto",
        custom_attrs={"aria-label": f"Role of {row.email}"},
    )
    return rx.el.tr(
        rx.el.td(
            rx.el.div(
                rx.cond(row.name != "", row.name, row.email),
                rx.cond(row.you, rx.el.span(" (you)", class_name="soft")),
                class_name="strong",
            ),
            rx.cond(row.name != "", rx.el.div(row.email, class_name="reason")),
        ),
        rx.el.td(
            rx.cond(
                Shell.may_admin,
                choice,
                rx.el.span(row.role, title=Shell.refused_admin, class_name="capital"),
            )
        ),
        rx.el.td(time(row.seen), class_name="not-narrow"),
        rx.el.td(
            opener(
                "Remove",
                f"remove-{row.id}",
                refused=Shell.refused_admin,
                custom_attrs={"aria-label": f"Remove {row.email}"},
            ),
            confirm(
                f"remove-{row.id}",
                f"Remove {row.email}",
                "They lose access at once. Their tokens for this org stop. What they made stays.",
                "Remove",
                State.remove(row.id),
            ),
            class_name="num",
        ),
    )


def _invited() -> rx.Component:
    heads = [("Email", ""), ("Role", "not-narrow")]
    heads += [("Invited by", "not-narrow"), ("Works until", "")]
    return table([*heads, ("", "num")], rx.foreach(State.invited, _invitation), "Invitations")


def _invitation(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.email, class_name="strong"),
        rx.el.td(row.role, class_name="capital not-narrow"),
        rx.el.td(row.by, class_name="not-narrow"),
        rx.el.td(time(row.expires)),
        rx.el.td(
            rx.el.div(
                button("New link", on_click=State.resend(row.id), refused=Shell.refused_admin),
                button("Revoke", on_click=State.revoke(row.id), refused=Shell.refused_admin),
                class_name="row end",
            ),
            class_name="num",
        ),
    )
