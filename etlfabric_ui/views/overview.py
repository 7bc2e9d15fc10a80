"""What the overview, the list of pipelines and the schedules are given, in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from etlfabric_ui.views.shared import Bar, Moment


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline in a list."""

    name: str
    state: str
    source: str
    """“shop · 12 streams”, or the reason of its failure."""
    reason: str
    rows: str
    rows_exact: str
    fresh: Moment
    next_run: Moment
    bars: list[Bar] = field(default_factory=list)
    paused: bool = False


@dataclass(frozen=True)
class NeedRow:
    """Something on the overview that someone should look at."""

    name: str
    state: str
    headline: str
    reason: str
    href: str


@dataclass(frozen=True)
class NextRow:
    """A run to come."""

    pipeline: str
    at: Moment


@dataclass(frozen=True)
class DayBar:
    """A day of the rows chart."""

    label: str
    height: str
    said: str
    today: bool = False


@dataclass(frozen=True)
class TimeBox:
    """One run, or several that lie close, on the time line. `state` may be `ahead`."""

    left: str
    width: str
    """CSS lengths, of the line."""
    state: str
    said: str


@dataclass(frozen=True)
class AxisMark:
    """A time on the axis."""

    left: str
    text: str


@dataclass(frozen=True)
class ScheduleRow:
    """A pipeline's schedule."""

    pipeline: str
    rule: str
    """“Every 15 min”."""
    zone: str
    paused: bool
    next_run: Moment
    boxes: list[TimeBox]
    said: str
    href: str
    edit: str
