"""The panel says what its design brief says, word for word."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import etlfabric_ui

PANEL = Path(etlfabric_ui.__file__).parent
REQUIRED = {
    "sign-in": (
        "Forgot password?",
        "Create an account",
        "At least 12 characters",
        "Create account",
        "You were signed out after 12 hours. Sign in to go on where you were.",
        "If that address has an account, a link is on its way. It works once, for 30 minutes.",
        "Password changed. All other sessions were signed out.",
        "Set your password. The one-time login you used has now expired.",
    ),
    "shared": (
        "Skip to content",
        "Reconnecting. What you see may be out of date.",
        "Nothing here. It may have been deleted or renamed, or belongs to another org.",
        "Go to Overview",
        "Try again",
        "Clear filters",
        "This failed in a way we did not expect. It is logged as",
        "Try again; if it repeats, send the reference to your operator.",
    ),
    "first-minutes": (
        "No orgs yet. An org holds connections, pipelines and their data.",
        "Create an org",
        "Connect your first source",
        "Pick a database, an API or a file. ETL Fabric finds its tables, loads them and builds"
        " clean tables in Postgres.",
        "New connection",
        "Choose a connector",
        "Test and continue",
        "Good defaults are set. Press Continue, or open a stream to change it.",
        "Create and run",
        "Your data is ready.",
        "Browse the data",
        "Write a dbt model",
        "Invite a colleague",
    ),
    "lists": (
        "No connections yet.",
        "A connection tells ETL Fabric where data is and how to log in.",
        "No pipelines yet.",
        "A pipeline loads a connection's streams and builds the dbt models that use them.",
        "No runs yet.",
        "Press Run now on a pipeline, or give it a schedule.",
    ),
    "load-modes": (
        "replace everything each run",
        "only new and changed rows, by cursor",
        "add new rows, never change old ones",
        "update rows by key",
        "keep every version of a row",
    ),
    "wizard": (
        "Any REST API works with",
        "Refreshing reads names and types only; nothing loaded changes.",
        "encrypted; never shown again",
        "A login that can only read",
        "Save and close",
    ),
    "run": (
        "Cancel this run?",
        "Keep running",
        "Cancel run",
        "Open in Dagster",
        "older lines",
        "Edit credentials",
        "Add CA certificate",
        "TLS settings",
        "Edit host",
        "Add SSH tunnel",
        "Review change",
        "Choose cursor",
        "Replace token",
        "Choose columns",
        "Copy reference",
    ),
    "data": ("Nothing in marts yet.", "The first run fills it."),
    "schedules": ("Runs start only by hand.", "Every 15 min", "Daily at 06:00"),
    "suspended": (
        "No runs start and BI logins are closed; all data is kept.",
        "as operator. What you do is in its audit log.",
    ),
}
"""Sentences of the brief that pages of today show."""
NEVER = (
    "Something went wrong",
    "An error occurred",
    "Are you sure",
    "Oops",
    "Coming soon",
    "Submit",
)


def _texts(path: Path) -> list[str]:
    """Every string of a module but its docstrings; adjacent parts of an f-string in one."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@pytest.fixture(scope="module")
def copy() -> str:
    return "\n".join(text for path in sorted(PANEL.rglob("*.py")) for text in _texts(path))


@pytest.mark.parametrize("page", REQUIRED)
def test_page_says_what_the_brief_says(copy: str, page: str) -> None:
    assert [said for said in REQUIRED[page] if said not in copy] == []


def test_nothing_reads_like_a_machine(copy: str) -> None:
    assert [said for said in NEVER if said in copy] == []
