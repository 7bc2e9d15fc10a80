"""What the pages of alerts, settings and operators are given: flat values, already in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from etlfabric_ui.views.shared import Moment


@dataclass(frozen=True)
class MemberRow:
    """A person of an org."""

    id: str
    name: str
    email: str
    role: str
    seen: Moment
    you: bool = False


@dataclass(frozen=True)
class InviteLink:
    """The way in, of one whom somebody asked just now."""

    email: str
    link: str


@dataclass(frozen=True)
class InviteRow:
    """Somebody who was asked to join."""

    id: str
    email: str
    role: str
    by: str
    expires: Moment


@dataclass(frozen=True)
class TokenRow:
    """An API token without the token."""

    id: str
    name: str
    owner: str
    scope: str
    expires: Moment
    used: Moment
    revocable: bool = True


@dataclass(frozen=True)
class SessionRow:
    """Where a person is signed in."""

    device: str
    place: str
    since: Moment
    current: bool = False


@dataclass(frozen=True)
class AuditRow:
    """A change, and who made it."""

    id: str
    at: Moment
    who: str
    what: str
    target: str
    place: str
    changes: str


@dataclass(frozen=True)
class UsageRow:
    """What a pipeline, or a day, used."""

    name: str
    rows: str
    size: str
    took: str
    runs: str


@dataclass(frozen=True)
class Snippet:
    """How a tool connects: text to copy."""

    title: str
    text: str


@dataclass(frozen=True)
class IncidentRow:
    """One trouble of one pipeline, and who was told."""

    id: str
    state: str
    what: str
    pipeline: str
    message: str
    remedy: str
    opened: Moment
    recovered: Moment
    muted: Moment
    repeated: str
    told: str
    run_id: str


@dataclass(frozen=True)
class ChannelRow:
    """Where alerts go."""

    name: str
    kind: str
    target: str
    rules: str


@dataclass(frozen=True)
class RuleRow:
    """What is told to whom, in words, and the words' own values for its form."""

    name: str
    when: str
    pipelines: str
    told: str
    quiet: str
    enabled: bool
    kinds: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    only: str = ""
    stale_h: str = ""
    quiet_from: str = ""
    quiet_to: str = ""


@dataclass(frozen=True)
class OrgRow:
    """An org in the operators' list."""

    slug: str
    name: str
    state: str
    pipelines: str
    failing: str
    rows: str
    storage: str
    runs: str
    active: Moment


@dataclass(frozen=True)
class FleetRow:
    """A process or a control of the install."""

    name: str
    state: str
    detail: str
