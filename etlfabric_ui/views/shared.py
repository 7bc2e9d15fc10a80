"""What several pages are given: flat values, already in words; never the services' own."""

from __future__ import annotations

from dataclasses import dataclass


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
class Fact:
    """A label and what is so."""

    label: str
    value: str
