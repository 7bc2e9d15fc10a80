"""Schedules may spread out: a greatest delay.

Revision ID: public_0002
Revises: public_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_0002"
down_revision = "public_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    jitter = sa.Column("jitter_s", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("schedules", jitter)


def downgrade() -> None:
    op.drop_column("schedules", "jitter_s")
