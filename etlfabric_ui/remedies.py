"""Where an error's remedy is carried out: its stable code picks the button. Pure."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from etlfabric_ui import routes
from etlfabric_ui.views import Problem

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


def _to(route: str, tab: str, **parts: str) -> str:
    quoted = {name: quote(value, safe="") for name, value in parts.items()}
    return f"{routes.to(route, **quoted)}?tab={tab}"
