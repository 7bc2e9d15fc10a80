"""Cron in its own time zone, right across daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.services.clockwork import check, delay, next_fire


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(cron: str, timezone: str, start: str, count: int) -> list[str]:
    at, found = utc(start), []
    for _ in range(count):
        at = next_fire(cron, None, timezone, at, None)
        found.append(at.strftime("%m-%d %H:%M"))
    return found


def test_a_daily_time_keeps_its_local_hour_when_clocks_change() -> None:
    assert fires("0 9 * * *", "Europe/Berlin", "2026-03-28T00:00", 3) == [
        "03-28 08:00",
        "03-29 07:00",
        "03-30 07:00",
    ]


def test_new_yorks_spring_change_skips_no_day() -> None:
    found = fires("30 2 * * *", "America/New_York", "2026-03-07T00:00", 3)
    assert [f[:5] for f in found] == ["03-07", "03-08", "03-09"]


def test_an_hour_that_comes_twice_fires_a_daily_job_once() -> None:
    found = fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2)
    assert [f[:5] for f in found] == ["10-25", "10-26"]


def test_every_quarter_hour_goes_on_through_the_change() -> None:
    found = fires("*/15 * * * *", "Europe/Berlin", "2026-10-24T23:50", 8)
    steps = [datetime.strptime(f"2026-{f}+0000", "%Y-%m-%d %H:%M%z") for f in found]
    assert {b - a for a, b in zip(steps, steps[1:], strict=False)} == {timedelta(minutes=15)}


def test_an_interval_counts_on_from_its_last_time_and_leaves_out_what_passed() -> None:
    last = utc("2026-01-01T00:00")
    assert next_fire(None, 600, "UTC", utc("2026-01-01T00:03"), last) == utc("2026-01-01T00:10")
    assert next_fire(None, 600, "UTC", utc("2026-01-01T05:01"), last) == utc("2026-01-01T05:10")


def test_the_second_of_two_equal_hours_never_names_a_time_that_has_passed() -> None:
    again = utc("2026-10-25T01:05")  # 02:05 in Berlin for the second time
    assert next_fire("10,50 2 * * *", None, "Europe/Berlin", again, None) == utc("2026-10-26T01:10")


def test_a_half_hour_that_comes_twice_is_two_slots_of_an_hourly_cron() -> None:
    first = utc("2026-04-04T14:30")  # 01:30 on Lord Howe, shown again half an hour later
    assert next_fire("30 * * * *", None, "Australia/Lord_Howe", first, None) == utc(
        "2026-04-04T15:00"
    )


def test_a_jitter_shifts_a_cron_by_one_delay_and_loses_no_slot() -> None:
    late = timedelta(seconds=150)
    at, found = utc("2026-01-01T00:00"), []
    for _ in range(4):
        at = next_fire("* * * * *", None, "UTC", at, None, late)
        found.append(at)
    assert found == [utc("2026-01-01T00:00") + timedelta(seconds=30 + 60 * n) for n in range(4)]


def test_a_delay_is_the_same_for_one_schedule_and_spreads_many() -> None:
    ids = [uuid4() for _ in range(200)]
    delays = [delay(one, 60) for one in ids]
    assert delays == [delay(one, 60) for one in ids]
    assert all(timedelta(0) <= one <= timedelta(seconds=60) for one in delays)
    assert len(set(delays)) > 30
    assert {delay(one, 0) for one in ids} == {timedelta(0)}


@pytest.mark.parametrize("jitter_s", [-1, 24 * 3600 + 1])
def test_a_jitter_that_cannot_be_is_refused(jitter_s: int) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check("* * * * *", None, "UTC", jitter_s)
    assert caught.value.where["field"] == "jitter_s"


@pytest.mark.parametrize(
    ("cron", "interval_s", "timezone", "field"),
    [
        ("* * * *", None, "UTC", "cron"),
        ("* * * * * *", None, "UTC", "cron"),
        ("61 * * * *", None, "UTC", "cron"),
        ("0 0 31 2 *", None, "UTC", "cron"),
        ("", None, "UTC", "cron"),
        ("0 0 * * *", 60, "UTC", "cron"),
        (None, None, "UTC", "cron"),
        (None, 59, "UTC", "interval_s"),
        (None, -1, "UTC", "interval_s"),
        ("0 0 * * *", None, "Mars/Olympus", "timezone"),
        ("0 0 * * *", None, "../../etc/passwd", "timezone"),
        ("0 0 * * *", None, "", "timezone"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_by_field(
    cron: str | None, interval_s: int | None, timezone: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check(cron, interval_s, timezone)
    assert caught.value.where["field"] == field
    assert caught.value.remedy
