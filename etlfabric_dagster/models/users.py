"""People, their sessions and API tokens. Secrets are stored as hashes only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from etlfabric_dagster.models.base import Base, TimestampMixin


class User(TimestampMixin, Base):
    """A person. `password_hash` is argon2id; None until a password was set."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    password_hash: Mapped[str | None]
    is_operator: Mapped[bool] = mapped_column(default=False)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    """When it was proved that the address is theirs; None until then."""


class Session(TimestampMixin, Base):
    """A signed-in browser; deleting the row ends it within a second."""

    __tablename__ = "sessions"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str | None]
    address: Mapped[str | None]
    refresh_hash: Mapped[bytes | None] = mapped_column(unique=True)
    """Of the refresh token that works next; the one before ends the session when it comes back."""
    spent_hash: Mapped[bytes | None] = mapped_column(unique=True)
    code_hash: Mapped[bytes | None] = mapped_column(unique=True)
    """Of the one-time code by which a page gets its cookie."""
    code_expires_at: Mapped[datetime | None]


class Membership(TimestampMixin, Base):
    """A person's role in an org."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("org_id", "user_id"),)

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]


class ApiToken(TimestampMixin, Base):
    """A bearer token: 256 random bits, of which only the SHA-256 is stored."""

    __tablename__ = "api_tokens"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    org_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("orgs.id", ondelete="CASCADE"), index=True
    )
    """The only org it opens; None = all of its owner's."""
    role: Mapped[str | None]
    """The most it may do."""
    read_only: Mapped[bool] = mapped_column(default=False, server_default=false())


class Invitation(TimestampMixin, Base):
    """Somebody asked to join an org: works once, until it expires or is revoked."""

    __tablename__ = "invitations"

    org_id: Mapped[UUID] = mapped_column(ForeignKey("orgs.id", ondelete="CASCADE"), index=True)
    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[str]
    """Label of the actor, as the letter tells it."""
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PasswordReset(TimestampMixin, Base):
    """A letter by which a person sets a new password: works once, for half an hour."""

    __tablename__ = "password_resets"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class EmailClaim(TimestampMixin, Base):
    """A letter by which a person proves that an address is theirs: their own, or the next one."""

    __tablename__ = "email_claims"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
