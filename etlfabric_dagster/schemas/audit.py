"""The audit log as it crosses layers."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from etlfabric_dagster.schemas.base import Value


class AuditEventOut(Value):
    """One change. What an erased org's events told is gone; that they happened is not."""

    id: UUID
    seq: int
    at: datetime
    action: str
    actor_id: UUID | None
    actor: str | None
    """Who: an address, or `operator` for who holds the install's settings."""
    via: str | None
    """From where: `cli`, `fabric`, `api`, `ui`, `dagster` or `system`."""
    address: str | None
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    """Only the fields that changed, without secrets."""


class AuditBreak(Value):
    """An event, or the end of a chain, that is not what was written."""

    org: str | None
    """Slug; None for the platform's own chain, or an org that is gone."""
    seq: int
    event_id: UUID | None
    action: str | None
    reason: str


class AuditReport(Value):
    """What a verification of chains found."""

    ok: bool
    chains: int
    events: int
    broken: tuple[AuditBreak, ...]
