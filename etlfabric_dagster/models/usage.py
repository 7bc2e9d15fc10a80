"""What orgs use, by pipeline and day, and what they may use. Outlives the runs it is made of."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TimestampMixin


class UsageDay(Base):
    """One pipeline's work of one day (UTC), added to in the transaction that ends an attempt."""

    __tablename__ = "usage_days"
    __table_args__ = (UniqueConstraint("org_id", "day", "pipeline_id"),)

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"))
    day: Mapped[date]
    pipeline_id: Mapped[UUID]
    pipeline_name: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    run_s: Mapped[float] = mapped_column(default=0)
    runs: Mapped[int] = mapped_column(default=0)
    failed_runs: Mapped[int] = mapped_column(default=0)


class Quota(TimestampMixin, Base):
    """What an operator lets an org use; NULL means without limit."""

    __tablename__ = "quotas"

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), unique=True)
    rows_per_month: Mapped[int | None] = mapped_column(BigInteger)
    storage_bytes: Mapped[int | None] = mapped_column(BigInteger)
