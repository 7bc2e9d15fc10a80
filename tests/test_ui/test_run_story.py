"""A run told in words, and the button that leads out of its error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from etlfabric_dagster.schemas.runs import (
    AttemptOut,
    AttemptStatus,
    ErrorInfo,
    NodeResult,
    RunOut,
    RunSelection,
    RunStatus,
    StreamResult,
    Trigger,
)
from etlfabric_ui import formats, remedies
from etlfabric_ui.state import run_story as story
from etlfabric_ui.views.shared import Problem
from tests.test_ui.spoken import plain

AT = datetime(2026, 11, 22, 14, 2, 10, tzinfo=UTC)


def run(status: RunStatus, **facts: Any) -> RunOut:
    base = {
        "id": uuid4(),
        "status": status,
        "org": "acme",
        "pipeline": "shop",
        "trigger": Trigger.MANUAL,
        "attempt": 1,
        "max_attempts": 3,
        "rows_loaded": 1_251,
        "bytes_loaded": 0,
        "queued_s": 0.4,
        "duration_s": 72.0,
        "created_at": AT,
        "started_at": AT,
        "finished_at": AT,
        "selection": RunSelection(),
        "streams": {},
        "models": {},
        "error": None,
    }
    return RunOut.model_validate({**base, **facts})


def tried(number: int, status: AttemptStatus, error: ErrorInfo | None = None) -> AttemptOut:
    return AttemptOut(
        number=number,
        status=status,
        dagster_run_id=uuid4(),
        worker="w1",
        started_at=AT,
        finished_at=AT,
        error=error,
    )


def test_a_good_run_tells_rows_models_and_tests() -> None:
    built = {
        "daily": NodeResult(status="success"),
        "t": NodeResult(status="pass", resource_type="test"),
    }

    said = story.sentence(run(RunStatus.SUCCEEDED, models=built))

    assert plain(said) == "1,251 rows in 1 min 12 s. 1 dbt model rebuilt, 1 test passed."


def test_a_failed_run_names_the_stream() -> None:
    broken = {"orders": StreamResult(status="failed"), "users": StreamResult(rows=3)}

    said = story.sentence(run(RunStatus.FAILED, streams=broken))
    assert plain(said) == "Failed after 1 min 12 s · orders."


def test_a_waiting_run_says_behind_what() -> None:
    waiting = run(RunStatus.QUEUED)

    assert (
        plain(story.sentence(waiting, 2)) == "Waiting for a free worker: 2 runs of this org going."
    )
    assert story.sentence(waiting) == "Waiting for a free worker."


@pytest.mark.parametrize(
    ("totals", "of", "width"),
    [
        pytest.param({"orders": 2_400_000}, "of ≈ 2.4 M", "50%", id="known"),
        pytest.param({}, "", "", id="unknown"),
        pytest.param({"orders": 900_000}, "of ≈ 900 k", "100%", id="more-than-estimated"),
    ],
)
def test_a_bar_has_a_fraction_only_of_a_known_total(
    totals: dict[str, int], of: str, width: str
) -> None:
    going = {"orders": StreamResult(rows=1_203_551, seconds=39, status="running")}
    plan = story.Plan("shop", ["orders", "refunds"], [], totals)

    orders, refunds = story.parts(run(RunStatus.RUNNING, streams=going), plan)

    assert (orders.rows, orders.took) == ("1,203,551", formats.whole("39 s"))
    assert (plain(orders.of), orders.width) == (of, width)
    assert (refunds.state, refunds.rows, refunds.width) == ("waiting", "—", "")


def test_of_many_parts_those_that_need_a_look_come_first() -> None:
    streams = {f"s{n}": StreamResult(status="failed" if n == 7 else "succeeded") for n in range(9)}
    rows = story.parts(run(RunStatus.FAILED, streams=streams), story.Plan())

    assert [row.name for row in story.page_of(rows, 0, 9)] == [f"s{n}" for n in range(9)]
    assert [row.name for row in story.page_of(rows, 0, 3)] == ["s7", "s0", "s1"]
    assert [row.name for row in story.page_of(rows, 2, 4)] == ["s8"]


def test_a_lost_worker_is_told_with_who_took_over() -> None:
    gone = ErrorInfo(message="The worker of attempt 1 stopped answering.")
    attempts = (tried(1, AttemptStatus.LOST, gone), tried(2, AttemptStatus.RUNNING))
    found = run(RunStatus.RUNNING, attempt=2, attempts=attempts)

    assert story.lost(found) == (
        "The worker of attempt 1 stopped answering. "
        "Attempt 2 took over at 14:02:10 (UTC); nothing is lost or loaded twice."
    )
    assert [one.said for one in story.attempts(found)] == ["Attempt 1, Lost", "Attempt 2, Running"]


@pytest.mark.parametrize(
    ("code", "action", "href"),
    [
        ("login_refused", "Edit credentials", "/o/acme/connections/my%20shop?tab=edit"),
        ("cursor_nulls", "Choose cursor", "/o/acme/pipelines/shop?tab=streams"),
        ("frozen_schema", "Review change", "/o/acme/pipelines/shop?tab=changes"),
        ("transform", "Open dbt models", "/o/acme/dbt-models"),
        ("unforeseen", "", ""),
    ],
)
def test_a_code_picks_the_button(code: str, action: str, href: str) -> None:
    found = remedies.with_button(
        Problem("error", "It broke.", code=code), org="acme", pipeline="shop", connection="my shop"
    )

    assert (found.action, found.href) == (action, href)
