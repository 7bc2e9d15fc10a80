"""The schedule time line as boxes: where each stands, how wide, what it tells. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from etlfabric_dagster.schemas.health import TimelineEvent, TimelineRow
from etlfabric_ui import formats, strings
from etlfabric_ui.state.zones import local
from etlfabric_ui.views.overview import AxisMark, TimeBox

BUCKETS = 96
"""A line holds so many boxes at most; runs closer than that share one."""
NOTES = 3
BESIDE_NOW = 0.035
"""Marks nearer to the line of now, as a share of the span, would cover its word."""
WORST = ("failed", "running", "queued", "canceled", "succeeded")
"""A shared box shows the first of these that is in it."""
STEPS = {6: 1, 24: 3, 168: 24}
"""Hours of the span → hours between marks of the axis."""


def boxes(row: TimelineRow, now: datetime, span: timedelta) -> list[TimeBox]:
    """What ran in state color, then what will run."""
    start, bucket = now - span / 2, span / BUCKETS
    past: dict[int, list[TimelineEvent]] = {}
    for event in row.past:
        past.setdefault(max(0, int((event.at - start) / bucket)), []).append(event)
    ahead: dict[int, list[datetime]] = {}
    for at in row.ahead:
        ahead.setdefault(int((at - start) / bucket), []).append(at)
    usual = timedelta(seconds=row.usual_s or 0)
    return [_past(events, start, span) for events in past.values()] + [
        _ahead(fires, usual, start, span) for fires in ahead.values()
    ]


def axis(now: datetime, span: timedelta, zone: str) -> list[AxisMark]:
    """Full hours, or midnights, in the zone."""
    step = STEPS[round(span.total_seconds() / 3600)]
    start, clock = now - span / 2, ZoneInfo(zone)
    at = start.astimezone(clock).replace(minute=0, second=0, microsecond=0)
    marks: list[AxisMark] = []
    for _ in range(round(span.total_seconds() / 3600) + 1):
        at = (at.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)).astimezone(clock)
        aside = abs((at - now) / span) > BESIDE_NOW
        if at.hour % step == 0 and start < at < start + span and aside:
            text = f"{at:%a} {at.day}" if step == 24 else f"{at:%H:%M}"
            marks.append(AxisMark(_percent((at - start) / span), text))
    return marks


def overlaps(rows: Sequence[TimelineRow], at_once: int, zone: str) -> list[str]:
    """“6 runs start at 06:00; 2 can run at once.”: moments when runs will wait."""
    starts = Counter(at.replace(second=0, microsecond=0) for row in rows for at in row.ahead)
    crowded = sorted(at for at, count in starts.items() if count > at_once)
    notes = [
        f"{starts[at]} runs start at {formats.clock_time(at, zone)}; {at_once} can run at once."
        for at in crowded[:NOTES]
    ]
    if len(crowded) > NOTES:
        notes.append(f"So it is {formats.plural(len(crowded) - NOTES, 'time')} more.")
    return notes


def _past(events: list[TimelineEvent], start: datetime, span: timedelta) -> TimeBox:
    states = [str(event.status) for event in events]
    worst = next((state for state in WORST if state in states), states[-1])
    first, last = events[0], events[-1]
    length = (last.at - first.at) + timedelta(seconds=last.seconds)
    word = strings.STATES[worst]
    if len(events) == 1:
        said = f"{_clock(first.at)} · {word} · {formats.duration(first.seconds)}"
    else:
        counts = ", ".join(
            f"{states.count(one)} {strings.STATES[one].lower()}" for one in WORST if one in states
        )
        said = f"{_clock(first.at)}–{_clock(last.at)} · {counts}"
    return TimeBox(_left(first.at, start, span), _percent(length / span), worst, said)


def _ahead(fires: list[datetime], usual: timedelta, start: datetime, span: timedelta) -> TimeBox:
    said = _clock(fires[0])
    if len(fires) > 1:
        said += f"–{_clock(fires[-1])} · {len(fires)} runs"
    if usual:
        said += f" · usually {formats.duration(usual.total_seconds())}"
    length = (fires[-1] - fires[0]) + usual
    return TimeBox(_left(fires[0], start, span), _percent(length / span), "ahead", said)


def _left(at: datetime, start: datetime, span: timedelta) -> str:
    return _percent(max(0.0, (at - start) / span))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _clock(at: datetime) -> str:
    here = local(at)
    return f"{here:%a %H:%M}"
