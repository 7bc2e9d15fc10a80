"""API tokens that open an org."""

from __future__ import annotations

from uuid import UUID

from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.fabric.gateway import at, nothing, sent
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import TokenOut
from etlfabric_dagster.schemas.people import Role, TokenInfo
from etlfabric_dagster.services import tokens


class Tokens(InOrg):
    """Tokens that act as members of an org."""

    def list(self) -> tuple[TokenInfo, ...]:
        """Tokens bound to the org, and members' tokens without that limit; never the token itself.

        >>> demo.tokens.list()
        (...)
        """
        return self._scoped(tokens.list_in_org, sent("GET", "tokens", Page[TokenInfo])).items

    def create(
        self,
        email: str,
        name: str,
        *,
        role: Role | str | None = None,
        read_only: bool = False,
        days: int = tokens.DEFAULT_DAYS,
    ) -> TokenOut:
        """A token that acts as a member, or as less, and opens this org only; shown this once.

        Operators. Raises NotFoundError for who is no member, InvalidInputError.

        >>> demo.tokens.create("nobody@example.com", "ci", read_only=True)
        Traceback (most recent call last):
            ...
        etlfabric_dagster.errors.NotFoundError: ...
        """
        limits = {"role": Role(role) if role else None, "read_only": read_only, "days": days}
        body = {"name": name, "org": self._slug, **limits}
        return self._gateway.ask(
            lambda actor: tokens.issue_for(actor, email, name, org=self._slug, **limits),
            sent("POST", f"/users/{at(email)}/token", TokenOut, body),
        )

    def revoke(self, token_id: UUID | str) -> None:
        """End a token that is bound to the org, at once. Raises NotFoundError.

        >>> for token in demo.tokens.list():
        ...     if token.name == "left behind":
        ...         demo.tokens.revoke(token.id)
        """
        found = UUID(str(token_id))
        self._scoped(
            lambda scope: tokens.revoke_in_org(scope, found), nothing("DELETE", at("tokens", found))
        )
