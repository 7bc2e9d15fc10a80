"""What a table of streams is given, and the changes found in them, in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from etlfabric_ui.views.shared import Moment


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
