"""What the pages of connections and the wizard are given, in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from etlfabric_ui.views.shared import Moment


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
class FoundRow:
    """A stream that a connection offers, read-only."""

    name: str
    key: str
    cursor: str
    columns: str
    columns_said: str
    rows: str


@dataclass(frozen=True)
class UploadRow:
    """A file that somebody put."""

    name: str
    size: str
    at: Moment
