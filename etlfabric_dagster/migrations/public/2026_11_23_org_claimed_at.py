"""Which orgs are at work: a slot is kept free for the others.

Revision ID: public_claimed_at
Revises: public_run_verdicts
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_claimed_at"
down_revision = "public_run_verdicts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("org_turns", sa.Column("claimed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("org_turns", "claimed_at")
