"""Roles, and what people and tokens may do, as they cross layers."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

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
    name: str | None
    is_operator: bool
    must_change_password: bool
    orgs: tuple[MyOrg, ...]
