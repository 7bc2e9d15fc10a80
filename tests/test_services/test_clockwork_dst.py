"""14 zones, both changes of clocks, 50 crons, three pollers: no slot is missed, none comes twice.

What should fire is worked out here from the calendar, minute by minute, without CronSim.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from etlfabric_dagster.services.clockwork import next_fire

ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Chisinau", "America/New_York", "America/St_Johns"),
    *("America/Los_Angeles", "America/Havana", "America/Santiago", "Asia/Beirut", "Africa/Cairo"),
    *("Australia/Sydney", "Australia/Lord_Howe", "Pacific/Chatham", "Antarctica/Troll"),
)
FREQUENT = ("*/10 * * * *", "*/15 * * * *", "5-59/20 * * * *", "0 * * * *", "30 * * * *")
STARRED = ("0 */2 * * *", "15 */3 * * *", "*/30 1-3 * * *", "*/20 0 * * *", "59 * * * 0")
TWICE = tuple(f"{minute} {hour} * * *" for hour in range(5) for minute in (0, 15, 30, 59))
LISTS = ("0,30 2 * * *", "10,50 1,2 * * *", "30 2,3 * * *", "0 0,12 * * *", "45 23 * * *")
DAYS = tuple(f"30 {hour} * * {day}" for hour in (0, 1, 2, 3) for day in (0, 1, 5))
DATES = ("30 2 29 * *", "0 3 8 3 *", "15 1 25 10 *")
CRONS = (*FREQUENT, *STARRED, *TWICE, *LISTS, *DAYS, *DATES)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def field(text: str, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        ends = (first, last) if span == "*" else (int(low), int(high or low))
        found |= set(range(ends[0], ends[1] + 1, int(step or 1)))
    return found


def changes(zone: str) -> list[datetime]:
    """When the zone's offset changes in 2026, to the day."""
    tz, start = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC)
    days = [start + n * DAY for n in range(366)]
    offsets = [day.astimezone(tz).utcoffset() for day in days]
    return [days[n] for n, (a, b) in enumerate(pairwise(offsets)) if a != b]


def local_minutes(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    tz = ZoneInfo(zone)
    count = int((end - start) / MINUTE)
    return [(at, at.astimezone(tz)) for at in (start + n * MINUTE for n in range(count))]


def first_real(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    """A wall clock's moment in UTC: the first of two, the end of a gap."""
    at = datetime.combine(day, time(hour, minute), zone)
    while at.astimezone(UTC).astimezone(zone).replace(fold=0) != at:
        at += MINUTE  # by the wall clock: it was never shown
    return at.astimezone(UTC)


def expected(cron: str, zone: str, minutes: list[tuple[datetime, datetime]]) -> set[datetime]:
    fields = [field(text, *span) for text, span in zip(cron.split(), RANGES, strict=True)]
    parts = cron.split()

    def on(day: date) -> bool:
        matches = day.day in fields[2] and (day.weekday() + 1) % 7 in fields[4]
        return matches and day.month in fields[3]

    if parts[0].startswith("*") or parts[1].startswith("*"):
        return {
            at
            for at, local in minutes
            if local.minute in fields[0] and local.hour in fields[1] and on(local.date())
        }
    days = {local.date() for _, local in minutes}
    wanted = ((day, h, m) for day in days if on(day) for h in fields[1] for m in fields[0])
    start, end = minutes[0][0], minutes[-1][0]
    moments = {first_real(*one, ZoneInfo(zone)) for one in wanted}
    return {at for at in moments if start <= at <= end}


def poll(cron: str, zone: str, start: datetime, end: datetime, seed: str) -> Iterator[datetime]:
    """Three pollers that look every second: whoever holds the row fires it and moves it on."""
    chance = random.Random(seed)
    phases = [chance.random() for _ in range(3)]
    due = next_fire(cron, None, zone, start - timedelta(seconds=1), None)
    while due < end:
        yield due
        looked_at = due + timedelta(seconds=chance.choice(phases))
        due = next_fire(cron, None, zone, looked_at, due)


def weeks(zone: str) -> Iterable[tuple[datetime, datetime]]:
    return [(change - 3 * DAY, change + 4 * DAY) for change in changes(zone)]


def test_there_are_fifty_crons_and_two_changes_in_each_zone() -> None:
    assert len(set(CRONS)) == 50
    assert {zone: len(changes(zone)) for zone in ZONES} == dict.fromkeys(ZONES, 2)


@pytest.mark.parametrize("zone", ZONES)
def test_every_slot_of_the_weeks_of_change_fires_once(zone: str) -> None:
    for start, end in weeks(zone):
        minutes = local_minutes(zone, start, end)
        for cron in CRONS:
            fired = list(poll(cron, zone, start, end, f"{zone} {cron}"))
            assert len(fired) == len(set(fired)), f"{cron} fired twice"
            wanted = expected(cron, zone, minutes)
            assert set(fired) == wanted, (
                f"{cron} around {start + 3 * DAY:%F}: missed {sorted(wanted - set(fired))[:3]},"
                f" unasked {sorted(set(fired) - wanted)[:3]}"
            )
