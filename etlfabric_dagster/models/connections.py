"""Connections of one tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TenantMixin, TimestampMixin


class Connection(TenantMixin, TimestampMixin, Base):
    """A configured connector. `sealed` holds the secrets, `secret_names` their names."""

    __tablename__ = "connections"

    name: Mapped[str] = mapped_column(unique=True)
    connector: Mapped[str]
    config: Mapped[dict[str, Any]]
    sealed: Mapped[bytes | None]
    secret_names: Mapped[list[Any]] = mapped_column(default=list)
    discovery: Mapped[dict[str, Any] | None]
    discovered_at: Mapped[datetime | None]
    last_check: Mapped[dict[str, Any] | None]
    checked_at: Mapped[datetime | None]
