"""Orgs have a time zone; incidents can be muted.

Revision ID: public_timezone
Revises: public_org_turns
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_timezone"
down_revision = "public_org_turns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    zone = sa.Column("timezone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False)
    op.add_column("orgs", zone)
    muted = sa.Column("muted_until", sa.DateTime(timezone=True), nullable=True)
    op.add_column("alert_incidents", muted)


def downgrade() -> None:
    op.drop_column("alert_incidents", "muted_until")
    op.drop_column("orgs", "timezone")
