"""The time line draws what was and what will be where it belongs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etlfabric_dagster.schemas.health import TimelineEvent, TimelineRow
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_ui.state.schedule_choice import (
    clocks_in_words,
    cron_in_words,
    interval_in_words,
    next_in_words,
)
from etlfabric_ui.state.time_boxes import BUCKETS, axis, boxes, overlaps
from tests.test_ui.spoken import plain

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


def event(ago: timedelta, status: str, seconds: float = 60) -> TimelineEvent:
    return TimelineEvent(at=NOW - ago, seconds=seconds, status=RunStatus(status))


def row(
    past: tuple[TimelineEvent, ...] = (),
    ahead: tuple[datetime, ...] = (),
    usual_s: float | None = None,
    name: str = "shop",
) -> TimelineRow:
    return TimelineRow(
        pipeline=name,
        cron="0 * * * *",
        interval_s=None,
        timezone="UTC",
        paused=False,
        next_fire_at=None,
        usual_s=usual_s,
        past=past,
        ahead=ahead,
    )


def test_run_stands_at_its_start_and_is_as_long_as_it_took() -> None:
    (box,) = boxes(row((event(timedelta(hours=6), "failed", 3600),)), NOW, DAY)

    assert (box.left, box.width, box.state) == ("25.00%", "4.17%", "failed")
    assert plain(box.said) == "Sun 06:00 · Failed · 1 h 00 min"


def test_run_to_come_is_as_long_as_usual() -> None:
    (box,) = boxes(row(ahead=(NOW + timedelta(hours=6),), usual_s=3600), NOW, DAY)

    assert (box.left, box.width, box.state) == ("75.00%", "4.17%", "ahead")
    assert plain(box.said) == "Sun 18:00 · usually 1 h 00 min"


def test_runs_too_close_to_be_told_apart_share_a_box_in_their_worst_state() -> None:
    minute = timedelta(minutes=1)
    past = tuple(
        event(timedelta(hours=1) - n * minute, "failed" if n == 2 else "succeeded", 10)
        for n in range(5)
    )
    (box,) = boxes(row(past), NOW, DAY)

    assert box.state == "failed"
    assert box.said == "Sun 11:00–Sun 11:04 · 1 failed, 4 succeeded"


def test_a_week_of_minutes_is_no_more_boxes_than_the_line_can_show() -> None:
    ahead = tuple(NOW + timedelta(minutes=n) for n in range(3 * 24 * 60))

    assert len(boxes(row(ahead=ahead), NOW, timedelta(days=7))) <= BUCKETS


def test_axis_has_the_hours_of_the_zone() -> None:
    marks = axis(NOW, DAY, "Europe/Berlin")

    assert [mark.text for mark in marks][:3] == ["03:00", "06:00", "09:00"]
    assert marks[0].left == "8.33%"
    assert axis(NOW, timedelta(days=7), "UTC")[0].text == "Fri 20"


def test_moment_when_more_start_than_may_run_is_told() -> None:
    six = NOW + timedelta(hours=6)
    rows = [row(ahead=(six, six + timedelta(hours=n + 1)), name=f"p{n}") for n in range(6)]

    assert overlaps(rows, 2, "UTC") == ["6 runs start at 18:00; 2 can run at once."]
    assert overlaps(rows, 6, "UTC") == []


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("*/15 * * * *", "Every 15 min"),
        ("0 6 * * *", "Daily at 06:00"),
        ("30 6 * * 1-5", "At 06:30 on Monday through Friday"),
    ],
)
def test_cron_is_told_in_words(cron: str, said: str) -> None:
    assert plain(cron_in_words(cron)) == said


def test_interval_is_told_without_its_zeros() -> None:
    assert plain(interval_in_words(600)) == "Every 10 min"
    assert plain(interval_in_words(7200)) == "Every 2 h"


def test_next_runs_keep_their_hour_across_a_change_of_clocks() -> None:
    before = datetime(2026, 10, 24, 0, 0, tzinfo=UTC)

    found = next_in_words("0 6 * * *", "Europe/Berlin", before)
    assert [plain(one) for one in found[:2]] == ["Sat, Oct 24, 06:00", "Sun, Oct 25, 06:00"]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("cron", "zone", "now", "said"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            NOW,
            "Clocks change on Mar 28: the 02:30 run happens once.",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            datetime(2026, 9, 1, tzinfo=UTC),
            "Clocks change on Oct 25: the 02:30 run happens once.",
        ),
        ("30 6 * * *", "Europe/Berlin", NOW, ""),
        ("30 * * * *", "Europe/Berlin", NOW, ""),
        ("30 2 * * *", "UTC", NOW, ""),
    ],
    ids=["spring", "autumn", "another_hour", "each_hour", "no_change"],
)
def test_change_of_clocks_is_told_when_it_touches_a_run(
    cron: str, zone: str, now: datetime, said: str
) -> None:
    assert plain(clocks_in_words(cron, zone, now)) == said
