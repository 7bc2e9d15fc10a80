"""Whose turn it is in the run queue: one row per org.

Revision ID: public_org_turns
Revises: public_insight
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_org_turns"
down_revision = "public_insight"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "org_turns",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("turn", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name=op.f("fk_org_turns_org_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_turns")),
        sa.UniqueConstraint("org_id", name=op.f("uq_org_turns_org_id")),
    )
    op.execute("INSERT INTO org_turns (id, org_id) SELECT gen_random_uuid(), id FROM orgs")


def downgrade() -> None:
    op.drop_table("org_turns")
