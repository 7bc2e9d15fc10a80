"""People: invitations, password resets, limits of tokens, rotation of sessions; the audit log;
answers kept for repeated requests.

Revision ID: public_people
Revises: public_0002
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "public_people"
down_revision = "public_0002"
branch_labels = None
depends_on = None

_NOW = sa.text("clock_timestamp()")
_PROTECT = """
CREATE FUNCTION refuse_audit_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.payload IS NULL
        AND to_jsonb(NEW) - 'payload' = to_jsonb(OLD) - 'payload' THEN
        RETURN NEW;  -- an org is erased
    END IF;
    RAISE EXCEPTION 'audit_events is insert-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_edit();
CREATE TRIGGER insert_only_all BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_edit();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _limit_tokens()
    _rotate_sessions()
    _add_letters()
    _add_audit()
    _keep_answers()


def _limit_tokens() -> None:
    op.add_column("api_tokens", sa.Column("org_id", sa.UUID(), nullable=True))
    op.add_column("api_tokens", sa.Column("role", sa.Text(), nullable=True))
    op.add_column(
        "api_tokens",
        sa.Column("read_only", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_foreign_key(
        "fk_api_tokens_org_id", "api_tokens", "orgs", ["org_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index("ix_api_tokens_org_id", "api_tokens", ["org_id"])
    op.create_unique_constraint(
        "uq_memberships_org_id_user_id", "memberships", ["org_id", "user_id"]
    )


def _rotate_sessions() -> None:
    for name in ("refresh_hash", "spent_hash", "code_hash"):
        op.add_column("sessions", sa.Column(name, sa.LargeBinary(), nullable=True))
        op.create_unique_constraint(f"uq_sessions_{name}", "sessions", [name])
    op.add_column(
        "sessions", sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True)
    )


def _add_letters() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("org_id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
        sa.ForeignKeyConstraint(
            ["org_id"], ["orgs.id"], name="fk_invitations_org_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_invitations_org_id", "invitations", ["org_id"])
    op.create_table(
        "password_resets",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name="pk_password_resets"),
        sa.UniqueConstraint("token_hash", name="uq_password_resets_token_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_password_resets_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_password_resets_user_id", "password_resets", ["user_id"])


def _add_audit() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_chains"),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("chain", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("payload_digest", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sa.UniqueConstraint("chain", "seq", name="uq_audit_events_chain_seq"),
    )
    op.execute(_PROTECT)


def _keep_answers() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_keys"),
        sa.UniqueConstraint("user_id", "key", name="uq_idempotency_keys_user_id_key"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_idempotency_keys_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _timestamps() -> list[sa.Column[datetime]]:
    return [
        sa.Column(name, sa.DateTime(timezone=True), server_default=_NOW, nullable=False)
        for name in ("created_at", "updated_at")
    ]


def downgrade() -> None:
    for table in (
        *("idempotency_keys", "audit_events", "audit_chains"),
        *("password_resets", "invitations"),
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_audit_edit()")
    for name in ("refresh_hash", "spent_hash", "code_hash", "code_expires_at"):
        op.drop_column("sessions", name)
    op.drop_constraint("uq_memberships_org_id_user_id", "memberships")
    for name in ("org_id", "role", "read_only"):
        op.drop_column("api_tokens", name)
