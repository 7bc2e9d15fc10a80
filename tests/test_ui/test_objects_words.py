"""Tests of connections, schema changes and durations, in the page's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from etlfabric_dagster.schemas.runs import RunOut, RunSelection, RunStatus, Trigger
from etlfabric_dagster.schemas.streams import CheckResult, CheckStep, SchemaChangeOut
from etlfabric_ui.state import checks
from etlfabric_ui.state.pipeline_changes import change_in_words, effect_in_words
from etlfabric_ui.state.pipeline_runs import durations
from tests.test_ui.spoken import plain

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def change(kind: str, decision: str = "taken", **facts: Any) -> SchemaChangeOut:
    return SchemaChangeOut(
        id=uuid4(),
        run=uuid4(),
        found_at=NOW,
        stream="orders",
        table="shop__orders",
        change=kind,
        decision=decision,
        **{"column": "amount", **facts},
    )


def ended(status: RunStatus, seconds: float | None) -> RunOut:
    return RunOut(
        id=uuid4(),
        status=status,
        org="acme",
        pipeline="shop",
        trigger=Trigger.MANUAL,
        attempt=1,
        max_attempts=3,
        rows_loaded=1,
        bytes_loaded=1,
        queued_s=0,
        duration_s=seconds,
        created_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        selection=RunSelection(),
        streams={},
        models={},
        error=None,
    )


def test_failed_check_leads_to_the_field_that_mends_it() -> None:
    refused = CheckResult(ok=False, cause="No.", remedy="Check both.", code="login_refused")

    said = checks.verdict_of(refused, "/o/acme/connections/shop?tab=edit")
    assert said.href == "/o/acme/connections/shop?tab=edit&field=secrets.password"
    assert said.action == "Edit credentials"


def test_check_that_no_field_mends_leads_to_the_form() -> None:
    said = checks.verdict_of(CheckResult(ok=False, cause="No.", code="other"), "/edit")

    assert (said.href, said.action) == ("/edit", "Edit connection")


def test_good_check_has_no_verdict_and_only_steps_that_ran() -> None:
    good = CheckResult(ok=True, steps=(CheckStep(name="tls", ok=True, detail="off"),))

    assert checks.verdict_of(good).kind == ""
    assert [(one.name, one.detail) for one in checks.steps_of(good)] == [("TLS", "off")]
    assert checks.steps_of(None) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (change("added", new_type="text"), "+ amount text"),
        (change("removed"), "− amount"),
        (change("type_changed", old_type="int", new_type="text"), "amount int → text"),
        (change("table_added", column=None), "+ table shop__orders"),
    ],
    ids=["added", "removed", "type_changed", "table_added"],
)
def test_change_is_told_in_signs(found: SchemaChangeOut, said: str) -> None:
    assert change_in_words(found) == said


@pytest.mark.parametrize(
    ("found", "users", "said"),
    [
        (change("added", "refused"), 2, "orders was not loaded; its rows are kept"),
        (change("added", "ignored"), 2, "Not loaded"),
        (change("removed"), 2, "Kept, filled with NULL"),
        (change("type_changed"), 1, "May break 1 dbt model"),
        (change("type_changed"), 0, "Type changed"),
    ],
    ids=["refused", "ignored", "removed", "used", "unused"],
)
def test_change_says_what_it_does(found: SchemaChangeOut, users: int, said: str) -> None:
    assert plain(effect_in_words(found, users)) == said


def test_durations_stand_oldest_first_and_name_the_longest_and_the_usual() -> None:
    newest_first = (
        ended(RunStatus.RUNNING, 500),
        ended(RunStatus.FAILED, 40),
        ended(RunStatus.SUCCEEDED, 10),
        ended(RunStatus.SUCCEEDED, 20),
    )
    bars, finding = durations(newest_first, "acme")

    assert [(bar.state, bar.height) for bar in bars] == [
        ("succeeded", "50.0%"),
        ("succeeded", "25.0%"),
        ("failed", "100.0%"),
    ]
    assert plain(finding) == "Duration of the last 3 runs: longest 40 s, usually 20 s"
    assert durations((), "acme") == ([], "")
