"""When an org's runs last succeeded and failed is read from an index.

Revision ID: public_run_verdicts
Revises: public_email_claims
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "public_run_verdicts"
down_revision = "public_email_claims"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_runs_org_verdict",
        "runs",
        ["org_id", "status", "finished_at"],
        postgresql_where=sa.text("status IN ('succeeded', 'failed')"),
    )


def downgrade() -> None:
    op.drop_index("ix_runs_org_verdict", table_name="runs")
