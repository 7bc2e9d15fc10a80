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
    copied: str = ""
    """What somebody else needs for the remedy: a statement, a request, a reference."""
    copies: str = ""
    """What the button that copies it says."""


@dataclass(frozen=True)
class Difference:
    """What somebody saved meanwhile, beside one's own."""

    label: str
    theirs: str
    yours: str


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


@dataclass(frozen=True)
class Tile:
    """A connector of the catalogue, or one product of it."""

    key: str
    title: str
    group: str
    mark: str
    description: str
    locked: bool = False


@dataclass(frozen=True)
class FieldView:
    """One field of a form made from a JSON Schema."""

    name: str
    """As it is submitted: `config.host`, `secrets.password`."""
    label: str
    kind: str
    """`text`, `number`, `secret`, `area`, `json`, `segments`, `select` or `switch`."""
    help: str = ""
    value: str = ""
    options: list[str] = field(default_factory=list)
    required: bool = False
    stored: bool = False
    """A secret that is kept already: empty means unchanged."""
    error: str = ""
    element: str = ""
    """Its id in the page."""


@dataclass(frozen=True)
class FoldView:
    """Optional fields, folded, with what they are set to."""

    title: str
    summary: str
    fields: list[FieldView] = field(default_factory=list)
    open: bool = False


@dataclass(frozen=True)
class StreamRow:
    """A stream in a table where one chooses how it loads."""

    name: str
    mode: str
    modes: list[str]
    key: str
    cursor: str
    cursors: list[str]
    columns: str
    """“14 of 15”: columns that are not dropped."""
    rows: str
    selected: bool
    edited: bool = False
    """Differs from what is saved."""
    result: str = ""
    """State of its last load."""
    loaded: str = ""
    """Rows of its last load."""
    fresh: Moment = field(default_factory=Moment)
    note: str = ""


@dataclass(frozen=True)
class ModeChoice:
    """A load mode with what it does, or why it cannot be chosen."""

    key: str
    name: str
    says: str
    refused: str = ""


@dataclass(frozen=True)
class ColumnChoice:
    """A column in a stream's drawer."""

    name: str
    type: str
    is_key: bool
    policy: str
    sample: str = ""
    hint: str = ""
    """“Looks like an email. Hash it?”"""


@dataclass(frozen=True)
class StreamDetail:
    """A stream in its drawer."""

    name: str = ""
    table: str = ""
    mode: str = ""
    modes: list[ModeChoice] = field(default_factory=list)
    cursor: str = ""
    cursors: list[str] = field(default_factory=list)
    start: str = ""
    columns: list[ColumnChoice] = field(default_factory=list)
    more: str = ""
    """How many columns are left out of the drawer."""
    problem: str = ""


@dataclass(frozen=True)
class ChangeRow:
    """A schema change that a run found, or a column that waits for a decision."""

    found: Moment
    stream: str
    change: str
    """“+ discount_code text”."""
    effect: str
    used_by: str
    decision: str
    column: str = ""
    pending: bool = False


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
class TableRef:
    """A table of the data browser."""

    schema: str
    name: str
    rows: str
    current: bool = False


@dataclass(frozen=True)
class ColumnHead:
    """A column of a result."""

    name: str
    type: str
    right: bool = False


@dataclass(frozen=True)
class Cell:
    """A value of a result; NULL is told from the empty string."""

    text: str
    kind: str = ""
    """"", `null` or `num`."""


@dataclass(frozen=True)
class Fact:
    """A label and what is so."""

    label: str
    value: str


@dataclass(frozen=True)
class FoundRow:
    """A stream that a connection offers, read-only."""

    name: str
    key: str
    cursor: str
    columns: str
    columns_said: str
    rows: str


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


@dataclass(frozen=True)
class UploadRow:
    """A file that somebody put."""

    name: str
    size: str
    at: Moment
