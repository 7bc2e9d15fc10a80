"""Where an error's remedy is carried out: its stable code picks the buttons. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from etlfabric_ui import routes
from etlfabric_ui.views.shared import Problem

CONNECTION = {
    "login_refused": "Edit credentials",
    "database_unknown": "Edit database",
    "schema_unknown": "Edit schema",
    "tls_untrusted": "Add CA certificate",
    "tls_refused": "TLS settings",
    "tls_other_name": "TLS settings",
    "tls_unsupported": "TLS settings",
    "bad_ca": "Add CA certificate",
    "host_unknown": "Edit host",
    "connect_failed": "Edit host",
    "unreachable": "Add SSH tunnel",
    "ssh_unreachable": "SSH settings",
    "ssh_login_refused": "SSH settings",
    "ssh_key": "SSH settings",
    "ssh_host_key": "SSH settings",
    "ssh_host_key_unknown": "SSH settings",
    "refused": "Replace token",
    "bad_secret": "Replace token",
    "missing_secret": "Edit credentials",
    "bucket_unknown": "Edit connection",
    "bad_file": "Upload",
    "bad_encoding": "Upload",
    "no_files": "Upload",
    "no_uploads": "Upload",
    "egress_denied": "Edit host",
}
"""Code → what to change in the connection."""
STREAMS = {
    "permission": "Deselect streams",
    "cursor_nulls": "Choose cursor",
    "cursor_missing": "Choose cursor",
    "cursor_type": "Choose cursor",
    "cursor_coarse": "Choose cursor",
    "no_cursor": "Choose cursor",
    "initial_value_missing": "Choose cursor",
    "no_primary_key": "Choose key",
    "key_nulls": "Choose key",
    "duplicate_column": "Choose columns",
    "too_many_columns": "Choose columns",
    "stream_vanished": "Deselect streams",
}
"""Code → what to change in the pipeline's streams."""
CHANGES = {"frozen_schema": "Review change", "type_changed": "Review change"}
"""Code → what to decide among the pipeline's schema changes."""


def with_button(problem: Problem, *, org: str, pipeline: str, connection: str = "") -> Problem:
    """The problem with the button that leads to where it is solved, if there is such a place."""
    code, action, href = problem.code, "", ""
    if code in CONNECTION and connection:
        action = CONNECTION[code]
        href = _to(routes.CONNECTION, "edit", org_slug=org, connection_name=connection)
    elif code in STREAMS:
        action = STREAMS[code]
        href = _to(routes.PIPELINE, "streams", org_slug=org, pipeline_name=pipeline)
    elif code in CHANGES:
        action = CHANGES[code]
        href = _to(routes.PIPELINE, "changes", org_slug=org, pipeline_name=pipeline)
    elif code == "transform":
        action, href = "Open dbt models", routes.to(routes.DBT_MODELS, org_slug=org)
    return replace(problem, action=action, href=href)


def with_copy(problem: Problem, where: Mapping[str, Any], contact: str = "") -> Problem:
    """The problem with what one sends to the person who can solve it, if it takes another.

    Args:
        where: facts of the error.
        contact: whom people write to when only the operator can help.
    """
    if problem.code == "permission" and where.get("grant"):
        copied, copies = str(where["grant"]), "Copy GRANT"
    elif problem.code == "egress_denied":
        copied, copies = f"{problem.message} {problem.remedy}".strip(), "Copy request"
    elif problem.code == "org_suspended" and contact:
        copied, copies = contact, "Copy contact"
    elif problem.reference:
        copied, copies = problem.reference, "Copy reference"
    elif problem.code in ("unforeseen", "disk_full"):
        copied, copies = problem.message, "Copy reference"
    else:
        return problem
    return replace(problem, copied=copied, copies=copies)


def _to(route: str, tab: str, **parts: str) -> str:
    quoted = {name: quote(value, safe="") for name, value in parts.items()}
    return f"{routes.to(route, **quoted)}?tab={tab}"
