"""What the pages of runs are given, in words."""

from __future__ import annotations

from dataclasses import dataclass

from etlfabric_ui.views.shared import Moment


@dataclass(frozen=True)
class RunRow:
    """A run in a list."""

    id: str
    short: str
    pipeline: str
    state: str
    outcome: str
    """Rows, or why it failed."""
    trigger: str
    attempt: str
    started: Moment
    took: str
    waited: str
    live: bool = False


@dataclass(frozen=True)
class DurationBar:
    """A run in the chart of durations."""

    state: str
    height: str
    said: str
    href: str


@dataclass(frozen=True)
class PartRow:
    """A stream or dbt node of a run."""

    name: str
    kind: str
    state: str
    rows: str
    took: str
    note: str = ""
    of: str = ""
    """“of ≈ 2.4 M”, while it runs and the total is known."""
    width: str = ""
    """CSS width of its bar while it runs; "" = no total is known."""


@dataclass(frozen=True)
class AttemptRow:
    """One try at a run."""

    number: int
    state: str
    said: str
    """“Attempt 1, Lost”, as the select lists it."""


@dataclass(frozen=True)
class Stage:
    """A stage of a run: how many of how many ended."""

    name: str
    said: str
    width: str
    state: str = ""


@dataclass(frozen=True)
class LogRow:
    """A line of a run's log."""

    number: int
    """Of the lines that the filter keeps, from 0."""
    at: str
    level: str
    subject: str
    message: str
