"""People prove that an address is theirs: when they sign up, and when they change it.

Revision ID: public_email_claims
Revises: public_timezone
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_email_claims"
down_revision = "public_timezone"
branch_labels = None
depends_on = None

_NOW = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("users", sa.Column("email_verified_at", sa.DateTime(timezone=True)))
    # who is here already was let in without a proof: nobody loses what they could do
    op.execute("UPDATE users SET email_verified_at = clock_timestamp()")
    op.create_table(
        "email_claims",
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_email_claims_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_email_claims"),
        sa.UniqueConstraint("token_hash", name="uq_email_claims_token_hash"),
    )
    op.create_index("ix_email_claims_user_id", "email_claims", ["user_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("email_claims")
    op.drop_column("users", "email_verified_at")
