"""What is copied for the person who can solve it, and addresses that settings decide."""

from __future__ import annotations

from typing import Any

import pytest

from etlfabric_dagster.config import settings
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import OrgSuspendedError
from etlfabric_dagster.schemas.jobs import EgressPolicy
from etlfabric_ui import remedies, routes
from etlfabric_ui.server.__main__ import page_of
from etlfabric_ui.state.base import dagster_at, query_of
from etlfabric_ui.state.guards import problem_of
from etlfabric_ui.views.shared import Problem

GRANTS = {
    "postgresql": 'GRANT SELECT ON "public"."pay""roll" TO "reader";',
    "oracle": 'GRANT SELECT ON "public"."pay""roll" TO "reader";',
    "mssql": 'GRANT SELECT ON [public].[pay"roll] TO [reader];',
    "mysql": "GRANT SELECT ON `public`.`pay\"roll` TO 'reader'@'%';",
}


def target(dialect: str) -> Target:
    return Target(
        *(dialect, "db.acme.io", 5432, "shop", "reader", "pw", "public", "require"),
        *(None, None, EgressPolicy()),
    )


@pytest.mark.parametrize("dialect", sorted(GRANTS))
def test_missing_right_offers_the_grant_in_the_databases_words(dialect: str) -> None:
    error = problems.unreadable(target(dialect), ['pay"roll'], 42)

    said = problem_of(error)
    assert (said.copies, said.copied) == ("Copy GRANT", GRANTS[dialect])


@pytest.mark.parametrize(
    ("problem", "copies"),
    [
        (Problem("error", "Private.", "Ask an operator.", "egress_denied"), "Copy request"),
        (Problem("error", "Failed.", "", "error", reference="7F3K"), "Copy reference"),
        (Problem("error", "Disk.", "", "disk_full"), "Copy reference"),
        (Problem("error", "Wrong.", "", "login_refused"), ""),
    ],
    ids=["egress", "unforeseen", "disk", "other"],
)
def test_problem_that_takes_another_person_offers_what_to_send(
    problem: Problem, copies: str
) -> None:
    assert remedies.with_copy(problem, {}).copies == copies


def test_suspended_org_offers_the_operators_contact_where_one_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suspended = OrgSuspendedError("Org 'acme' is suspended.", "Ask the operator.")
    assert problem_of(suspended).copies == ""

    monkeypatch.setattr(settings, "operator_contact", "ops@example.com")
    assert problem_of(suspended).copied == "ops@example.com"


@pytest.mark.parametrize(
    ("public", "page", "expected"),
    [
        (None, "https://panel.acme.io/o/acme/runs", "https://panel.acme.io:3001"),
        (None, "", "http://localhost:3001"),
        ("https://dagster.acme.io/", "https://panel.acme.io/", "https://dagster.acme.io"),
    ],
    ids=["same-host", "unknown", "set"],
)
def test_dagster_is_where_the_settings_or_the_pages_host_say(
    public: str | None, page: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "public_dagster_url", public)
    monkeypatch.setattr(settings, "dagster_port", 3001)

    assert dagster_at(page) == expected


def test_what_is_not_set_stands_in_no_address() -> None:
    facts: dict[str, Any] = {"q": "a b", "status": "", "show": "selected"}
    assert query_of(**facts) == "q=a+b&show=selected"


@pytest.mark.parametrize("tail", ["", "/postgresql"])
def test_every_step_of_the_wizard_is_one_page(tail: str) -> None:
    assert page_of(f"/o/acme/connections/new{tail}") is not None
    assert page_of(f"/o/acme/connections/new{tail}/x/y") is None
    assert routes.to(routes.NEW_CONNECTION_OF, org_slug="acme", connector_key="mysql") == (
        "/o/acme/connections/new/mysql"
    )
