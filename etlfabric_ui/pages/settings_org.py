"""Settings: general, danger zone; and a new org."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.dialogs import confirm, opener, refusal
from etlfabric_ui.components.doors import api_form, text_field
from etlfabric_ui.components.elements import button
from etlfabric_ui.components.fields import entry
from etlfabric_ui.components.frame import heading
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.pages.settings import part, section
from etlfabric_ui.state.settings_org import OrgState
from etlfabric_ui.state.shell import Shell

State: Any = OrgState
ZONES = sorted(name for name in available_timezones() if "/" in name or name == "UTC")


def general() -> rx.Component:
    """Name and time zone."""
    return section(
        "general",
        State,
        part(
            "General",
            rx.form(
                _own("Name", "name", State.name),
                _own(
                    "Time zone",
                    "timezone",
                    State.zone,
                    list="zones",
                    help_text="All times of this org follow.",
                ),
                rx.el.datalist(
                    *(rx.el.option(value=one) for one in ZONES if _common(one)), id="zones"
                ),
                rx.el.div(
                    rx.el.span("Name in URLs and the CLI", class_name="label"),
                    rx.el.code(Shell.org),
                    rx.el.span("Cannot change.", class_name="help"),
                    class_name="field",
                ),
                refusal(State, "general"),
                rx.el.div(button("Save", "primary", type="submit", refused=Shell.refused_own)),
                on_submit=State.save,
                class_name="form narrow",
            ),
        ),
    )


def danger_zone() -> rx.Component:
    """Everything as files, and the end."""
    warning = strings.ERASE_WARNING.format(contents=State.contents, size=State.size, slug=Shell.org)
    return section(
        "danger-zone",
        State,
        part(
            "Export everything",
            rx.el.p(
                f"{State.contents}, {State.size} in the database. Tables become CSV, the rest JSON "
                "and SQL; credentials are left out. The download starts when all is packed."
            ),
            rx.el.div(
                button(
                    "Export everything",
                    icon_name="download",
                    refused=Shell.refused_own,
                    custom_attrs={
                        "data-do": "download",
                        "data-path": f"/api/v1/orgs/{Shell.org}/export",
                    },
                )
            ),
        ),
        part(
            "Erase org",
            rx.el.p(warning),
            refusal(State, "erase"),
            rx.el.div(opener("Erase org", "erase", "danger", refused=Shell.refused_own)),
            confirm(
                "erase",
                f"Erase {Shell.org_name}",
                "Runs stop, logins close and nobody gets in any more, at once. "
                "This cannot be undone.",
                "Erase org",
                State.erase,
                typed=Shell.org,
            ),
        ),
    )


def new_org() -> rx.Component:
    """Create another org; whoever does owns it."""
    return framed(
        "",
        heading(strings.CREATE_ORG),
        rx.el.div(
            api_form(
                "/api/v1/orgs",
                strings.CREATE_ORG,
                text_field("name", "Name", complete="organization", auto_focus=True),
                text_field(
                    "slug",
                    "Name in URLs and the CLI",
                    help_text=strings.SLUG_HELP,
                    complete="off",
                    follows="name",
                ),
                go_to="/o/{slug}/overview",
            ),
            class_name="form narrow",
        ),
    )


def _own(label: str, name: str, value: Any, **props: Any) -> rx.Component:
    return entry(
        label,
        name,
        key=value,
        default_value=value,
        required=True,
        refused=Shell.refused_own,
        **props,
    )


def _common(zone: str) -> bool:
    return not zone.startswith(("Etc/", "SystemV/", "US/", "Brazil/", "Canada/", "Chile/"))
