"""Roles, and what people and tokens may do, as they cross layers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from etlfabric_dagster.schemas.base import Slug, Value


class Role(StrEnum):
    """What a member may do in an org; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a viewer, up to 3 for an owner."""
        return tuple(Role).index(self)

    def may(self, needed: Role) -> bool:
        """Whether this role includes the needed one."""
        return self.rank >= needed.rank

    def limited_to(self, ceiling: Role | None) -> Role:
        """The lesser of the two."""
        return ceiling if ceiling is not None and self.may(ceiling) else self


class TokenLimits(Value):
    """What an API token leaves of its owner's rights."""

    org_id: UUID | None = None
    """The only org it opens; None = all of its owner's."""
    role: Role | None = None
    """The most it may do."""
    read_only: bool = False


class MyOrg(Value):
    """An org as one person sees it in a list of theirs."""

    slug: Slug
    name: str
    role: Role


class Me(Value):
    """Who is signed in, and where they may go."""

    id: UUID
    email: str
    email_verified: bool
    """Whether a letter proved that the address is theirs."""
    new_email: str | None = None
    """The address they will sign in with once its letter is opened."""
    name: str | None
    is_operator: bool
    must_change_password: bool
    orgs: tuple[MyOrg, ...]


class Grant(Value):
    """A session that was opened or refreshed. Shown once; what is stored are digests."""

    session_id: UUID
    access_token: str = Field(repr=False)
    """Signed, for 15 minutes: `Authorization: Bearer`."""
    refresh_token: str = Field(repr=False)
    """Works once: the answer holds the next one."""
    cookie: str = Field(repr=False)
    """Signed, for as long as the session: for a browser's HttpOnly cookie."""
    expires_in_s: int
    must_change_password: bool


class SessionOut(Value):
    """A device on which a person is signed in."""

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    expires_at: datetime
    current: bool


class MemberOut(Value):
    """A person in an org."""

    user_id: UUID
    email: str
    name: str | None
    role: Role
    last_seen_at: datetime | None
    joined_at: datetime


class InvitationOut(Value):
    """Somebody who was asked to join."""

    id: UUID
    email: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


class InvitationMade(InvitationOut):
    """A new invitation, with its link this once."""

    link: str = Field(repr=False)
    mailed: bool
    """False when mail is not set up or failed: the link must be handed on."""


class InvitationShown(Value):
    """What the holder of an invitation's link sees."""

    org: str
    email: str
    role: Role
    invited_by: str
    has_account: bool
    """Whether that address can sign in already; otherwise a password is asked for."""


class TokenInfo(Value):
    """An API token without the token."""

    id: UUID
    name: str
    email: str
    org: str | None
    role: Role | None
    read_only: bool
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
