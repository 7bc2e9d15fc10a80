"""What pages are given: flat values, already in words; never the services' own."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """An error with its way out. `kind` is "", `error`, `missing` or `permission`."""

    kind: str = ""
    message: str = ""
    remedy: str = ""
    code: str = ""
    reference: str = ""
    href: str = ""
    """Where its remedy is carried out, if that is a page."""
    action: str = ""
    """What the button to `href` says."""


@dataclass(frozen=True)
class OrgChoice:
    """One org of the switcher."""

    slug: str
    name: str
    role: str
    current: bool = False


@dataclass(frozen=True)
class Moment:
    """A point in time: for the machine, for the eye, for hover."""

    iso: str = ""
    said: str = "—"
    full: str = ""


@dataclass(frozen=True)
class Bar:
    """One run of a sparkline."""

    state: str
    height: str
    """CSS height, of the tallest."""
    said: str
    """“Nov 22, 14:00 · 20,557 rows · 31 s”."""


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
class ConnectionRow:
    """A connection in a list."""

    name: str
    connector: str
    mark: str
    state: str
    used_by: str
    tested: Moment
    changed: Moment


@dataclass(frozen=True)
class Step:
    """A step of a check that really ran."""

    name: str
    ok: bool
    detail: str = ""
