"""What a connection's test found, in the page's words, and the field that mends it."""

from __future__ import annotations

from etlfabric_dagster.schemas.streams import CheckResult
from etlfabric_ui import remedies
from etlfabric_ui.state.guards import spoken
from etlfabric_ui.views.connections import Step
from etlfabric_ui.views.shared import Problem

STEP_NAMES = {
    "ssh": "SSH tunnel open",
    "name": "Name found",
    "address": "Address allowed",
    "reach": "Answers",
    "tls": "TLS",
    "login": "Login",
    "schema": "Schema",
    "permission": "May read",
}
_HOST = ("config.host", "Edit host")
_LOGIN = ("secrets.password", "Edit credentials")
_TLS = ("config.tls", "TLS settings")
REMEDIES: dict[str, tuple[str, str]] = {
    "unreachable": _HOST,
    "connect_failed": _HOST,
    "host_unknown": _HOST,
    "egress_denied": _HOST,
    "login_refused": _LOGIN,
    "tls_refused": _TLS,
    "tls_other_name": _TLS,
    "tls_untrusted": ("config.ca", "Add CA certificate"),
    "bad_ca": ("config.ca", "Add CA certificate"),
    "database_unknown": ("config.database", "Edit database"),
    "schema_unknown": ("config.schema", "Edit schema"),
    "ssh_unreachable": ("config.ssh.host", "Edit SSH tunnel"),
    "ssh_login_refused": ("config.ssh.username", "Edit SSH tunnel"),
    "bucket_unknown": ("config.bucket_url", "Edit address"),
}
"""Code of a failed check → the field to change, and what the button to it says."""


def guilty(code: str) -> str:
    """The field to change, empty when no single one is."""
    return REMEDIES.get(code, ("", ""))[0]


def steps_of(result: CheckResult | None) -> list[Step]:
    """The checks that really ran."""
    found = result.steps if result else ()
    return [
        Step(STEP_NAMES.get(one.name, one.name.capitalize()), one.ok, one.detail) for one in found
    ]


def verdict_of(result: CheckResult | None, edit: str = "") -> Problem:
    """Why it failed; with the form's address `edit`, a button that opens the field."""
    if result is None or result.ok:
        return Problem()
    field, action = REMEDIES.get(result.code, ("", "Edit connection"))
    href = f"{edit}&field={field}" if edit and field else edit
    found = Problem(
        "error", result.cause, spoken(result.remedy), result.code, href=href, action=action
    )
    return remedies.with_copy(found, {"grant": result.grant})
