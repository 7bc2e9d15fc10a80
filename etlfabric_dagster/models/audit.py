"""The audit log: who changed what. Rows are inserted, never edited."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base


class AuditChain(Base):
    """The end of one chain: an org's (its id), or the platform's (the nil UUID)."""

    __tablename__ = "audit_chains"

    length: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[bytes]
    """Hash of the newest event; so that cutting off the end is noticed."""


class AuditEvent(Base):
    """One change. A trigger refuses every edit but the one that nulls the payload of an erased
    org.
    """

    __tablename__ = "audit_events"
    __table_args__ = (UniqueConstraint("chain", "seq"),)

    chain: Mapped[UUID]
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    action: Mapped[str]
    actor_id: Mapped[UUID | None]
    payload: Mapped[str | None]
    """Canonical JSON, as text: its digest is of exactly these bytes."""
    payload_digest: Mapped[bytes]
    hash: Mapped[bytes]
