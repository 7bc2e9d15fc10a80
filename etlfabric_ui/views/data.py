"""What the pages of dbt models, lineage and data are given, in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from etlfabric_ui.views.shared import Moment


@dataclass(frozen=True)
class FileRow:
    """A file of the dbt project in the tree."""

    path: str
    name: str
    folder: str
    href: str
    locked: bool = False
    draft: bool = False
    state: str = ""
    """Of its last build; "" where nothing is built from it."""
    current: bool = False


@dataclass(frozen=True)
class CompletionColumn:
    """A column that the editor completes."""

    name: str
    type: str


@dataclass(frozen=True)
class Completion:
    """A table that the editor completes."""

    name: str
    schema: str
    columns: list[CompletionColumn] = field(default_factory=list)


@dataclass(frozen=True)
class TestRow:
    """A dbt test and how it last ended."""

    __test__ = False

    id: str
    name: str
    column: str
    state: str
    said: str
    at: Moment
    failing: bool = False


@dataclass(frozen=True)
class VersionRow:
    """A saved state of a file."""

    id: str
    author: str
    action: str
    at: Moment
    lines: str
    restorable: bool = True
    current: bool = False


@dataclass(frozen=True)
class DiffRow:
    """A line of two texts side by side."""

    left_number: str
    left: str
    right_number: str
    right: str
    kind: str
    """"", `changed`, `removed`, `added` or `fold`."""


@dataclass(frozen=True)
class LinkRow:
    """Something with a page of its own."""

    name: str
    href: str
    state: str = ""


@dataclass(frozen=True)
class GraphNode:
    """A node of the lineage, placed."""

    id: str
    name: str
    shown: str
    """The name, its middle left out when it is long."""
    layer: str
    kind: str
    state: str
    x: str
    y: str
    fresh: Moment
    said: str
    """For those who cannot see the graph."""
    up: str = ""
    """Ids that it is made of, space-separated."""
    down: str = ""
    focus: bool = False


@dataclass(frozen=True)
class GraphEdge:
    """A line of the lineage."""

    path: str
    source: str
    target: str


@dataclass(frozen=True)
class Band:
    """A layer of the lineage: its title and where it starts."""

    title: str
    x: str
    width: str


@dataclass(frozen=True)
class TableFacts:
    """The head of a table's page."""

    schema: str
    name: str
    rows: str
    fresh: Moment
    run: str = ""
    run_href: str = ""
    state: str = ""
    sql_href: str = ""
    lineage_href: str = ""


@dataclass(frozen=True)
class ColumnRow:
    """A column as the Columns tab shows it."""

    name: str
    type: str
    nullable: str
    policy: str
    comment: str


@dataclass(frozen=True)
class ProfileRow:
    """A column by its values."""

    name: str
    type: str
    nulls: str
    distinct: str
    least: str
    greatest: str
    top: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FilterChip:
    """A filter that is on."""

    column: str
    said: str


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
