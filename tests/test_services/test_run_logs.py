"""A window of a run's log: what a page shows of it, and counts of all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from etlfabric_dagster import storage
from etlfabric_dagster.schemas.runs import LogFilter, LogLine
from etlfabric_dagster.services import run_logs
from etlfabric_dagster.services.scope import OrgScope

AT = datetime(2026, 11, 22, 14, tzinfo=UTC)


def line(
    message: str, level: str = "info", subject: str | None = None, attempt: int = 1
) -> LogLine:
    return LogLine(at=AT, level=level, message=message, subject=subject, attempt=attempt)


@pytest.fixture
def run_id(scope: OrgScope) -> UUID:
    """A log of ten lines in three objects and two attempts."""
    found = uuid4()
    first = [line(f"row {n}", subject="orders") for n in range(4)]
    storage.append_log(scope.org_id, found, 1, first)
    storage.append_log(scope.org_id, found, 1, [line("Lost it", "error"), line("odd", "warning")])
    again = [line(f"again {n}", subject="users", attempt=2) for n in range(4)]
    storage.append_log(scope.org_id, found, 2, again)
    return found


async def test_the_newest_lines_are_shown_and_all_are_counted(
    scope: OrgScope, run_id: UUID
) -> None:
    found = await run_logs.window(scope, run_id, LogFilter(), limit=3)

    assert [one.message for one in found.items] == ["again 1", "again 2", "again 3"]
    assert (found.first, found.total) == (7, 10)
    assert (found.warnings, found.errors, found.first_error) == (1, 1, 4)


async def test_older_lines_stand_before_a_number(scope: OrgScope, run_id: UUID) -> None:
    found = await run_logs.window(scope, run_id, LogFilter(), until=3, limit=2)

    assert [one.message for one in found.items] == ["row 1", "row 2"]
    assert (found.first, found.total) == (1, 10)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        pytest.param(LogFilter(level="error"), ["Lost it"], id="level"),
        pytest.param(LogFilter(subject="users", search="3"), ["again 3"], id="subject-and-search"),
        pytest.param(
            LogFilter(search="ORDERS", attempt=1), [f"row {n}" for n in range(4)], id="any-case"
        ),
        pytest.param(LogFilter(attempt=2, level="error"), [], id="attempt"),
    ],
)
async def test_a_filter_looks_at_the_whole_log(
    scope: OrgScope, run_id: UUID, wanted: LogFilter, kept: list[str]
) -> None:
    found = await run_logs.window(scope, run_id, wanted)

    assert [one.message for one in found.items] == kept
    assert found.total == len(kept)


async def test_reading_on_finds_only_what_came_later(scope: OrgScope, run_id: UUID) -> None:
    before = await run_logs.window(scope, run_id, LogFilter())
    assert (await run_logs.window(scope, run_id, LogFilter(), after=before.position)).total == 0

    storage.append_log(scope.org_id, run_id, 2, [line("late", "warning", attempt=2)])
    after = await run_logs.window(scope, run_id, LogFilter(), after=before.position)

    assert [one.message for one in after.items] == ["late"]
    assert (after.total, after.warnings, after.errors) == (1, 1, 0)


async def test_another_orgs_run_has_no_lines(scope: OrgScope) -> None:
    foreign = uuid4()
    storage.append_log(uuid4(), foreign, 1, [line("theirs")])

    assert (await run_logs.window(scope, foreign, LogFilter())).total == 0
