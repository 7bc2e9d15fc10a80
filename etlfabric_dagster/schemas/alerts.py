"""Alerts as they cross layers. URLs and signing secrets are write-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Name, Value


class AlertKind(StrEnum):
    """What a rule tells. `recovery` ends what `failure` or `staleness` began."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    STALENESS = "staleness"
    SCHEMA_CHANGE = "schema_change"


class ChannelKind(StrEnum):
    """How a message travels."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class AlertEvent(StrEnum):
    """What a message says about its incident."""

    OPENED = "opened"
    RECOVERED = "recovered"


class DeliveryStatus(StrEnum):
    """`skipped`: the incident had ended before its message was due."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


class ChannelOut(Value):
    """A channel as people see it."""

    id: UUID
    name: Name
    kind: ChannelKind
    to: tuple[str, ...] = ()
    """Mail addresses."""
    host: str | None = None
    """Of the webhook; the rest of its URL is a secret."""
    signing_secret: str | None = None
    """Of a `webhook` channel, in clear this once."""
    created_at: datetime
    updated_at: datetime


class RuleSettings(Value):
    """What a person sets in a rule."""

    kinds: tuple[AlertKind, ...] = (AlertKind.FAILURE, AlertKind.RECOVERY)
    channels: tuple[str, ...]
    pipelines: tuple[str, ...] | None = None
    """None = all, those to come included."""
    stale_after_s: int | None = Field(default=None, ge=60, le=366 * 86400)
    """For staleness: seconds since the last good run; None = late against the schedule."""
    quiet_from: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    quiet_to: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    timezone: str = "UTC"
    """IANA zone of the quiet hours."""
    enabled: bool = True


class RuleOut(RuleSettings):
    """A rule as people see it."""

    id: UUID
    name: Name
    created_at: datetime
    updated_at: datetime


class DeliveryOut(Value):
    """One message to one channel."""

    channel: str
    event: AlertEvent
    status: DeliveryStatus
    attempts: int
    error: str | None = None
    next_attempt_at: datetime | None = None
    sent_at: datetime | None = None


class IncidentOut(Value):
    """One trouble of one pipeline, and who was told."""

    id: UUID
    rule: str
    kind: AlertKind
    pipeline: str
    run_id: UUID | None
    message: str
    remedy: str
    occurrences: int
    opened_at: datetime
    last_seen_at: datetime
    notified_at: datetime | None
    recovered_at: datetime | None
    muted_until: datetime | None = None
    deliveries: tuple[DeliveryOut, ...] = ()


class AlertMessage(Value):
    """What a channel is given to say; the body of a `webhook` call."""

    event: Literal["opened", "recovered", "test"]
    kind: AlertKind
    org: str
    pipeline: str
    rule: str
    incident_id: UUID | None = None
    run_id: UUID | None = None
    title: str
    message: str
    remedy: str = ""
    opened_at: datetime
    recovered_at: datetime | None = None
