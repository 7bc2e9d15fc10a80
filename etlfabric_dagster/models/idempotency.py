"""Answers kept for repeated requests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base


class IdempotencyKey(Base):
    """A request that named a key, and its answer once there is one. Kept for a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[str]
    request_digest: Mapped[bytes]
    """Of method, path and body: the same key may not mean something else."""
    sealed: Mapped[bytes | None]
    """Status and body, sealed: an answer may hold a token that is shown once."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
