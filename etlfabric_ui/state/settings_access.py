"""Settings: API tokens, and the login of BI tools. What is secret is on the page once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.orgs import BiCredentials
from etlfabric_dagster.schemas.people import Role, TokenInfo
from etlfabric_dagster.services import orgs, tokens
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui.state.base import FormsState, PageState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.views.settings import Snippet, TokenRow
from etlfabric_ui.views.shared import Problem


class TokensState(FormsState, rx.State):
    """Tokens that open this org: one's own, and for admins everybody's."""

    rows: list[TokenRow] = []
    made: str = ""
    """A new token in clear, on the page until it is left."""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read them."""
        self._clear()
        self.made = ""
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def create(self, visit: Visit, given: dict[str, Any]) -> None:
        """A token that acts as oneself in this org, as far as the form says."""
        self._clear()
        self.made = ""
        scope = str(given.get("scope", ""))
        try:
            made = await tokens.create(
                visit.actor,
                str(given.get("name", "")),
                org=visit.org,
                role=Role(scope) if scope in tuple(Role) else None,
                read_only=scope == "read",
                days=int(given.get("days") or tokens.DEFAULT_DAYS),
            )
        except FabricError as exc:
            return self._refuse("token", exc)
        self.made = made.token
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def revoke(self, visit: Visit, token_id: str) -> Any:
        """End a token: one's own, or as an admin anybody's that is bound to this org."""
        self.made = ""
        own = {str(one.id) for one in (await tokens.list_own(visit.actor)).items}
        if token_id in own:
            await tokens.revoke_own(visit.actor, UUID(token_id))
        else:
            async with org_scope(visit.actor, visit.org) as scope:
                await tokens.revoke_in_org(scope, UUID(token_id))
        await self._read(visit)
        return done("Token revoked. Programs that use it are refused from now on.")

    async def _read(self, visit: Visit) -> None:
        mine = (await tokens.list_own(visit.actor)).items
        found = [one for one in mine if one.org in (None, visit.org)]
        if visit.role and visit.role.may(Role.ADMIN):
            async with org_scope(visit.actor, visit.org) as scope:
                others = (await tokens.list_in_org(scope)).items
            known = {one.id for one in found}
            found += [one for one in others if one.id not in known]
        own = {one.id for one in mine}
        self.rows = [_token(one, one.id in own) for one in found]
        self.loaded = True


class BiState(PageState, rx.State):
    """Where BI tools connect."""

    host: str = ""
    port: str = ""
    database: str = ""
    username: str = ""
    db_schema: str = ""
    password: str = ""
    """In clear after it was rolled, on the page until it is left."""
    snippets: list[Snippet] = []

    @rx.event
    @guarded(Role.ADMIN)
    async def load(self, visit: Visit) -> None:
        """Read it; the password is never read back."""
        self.problem = Problem()
        async with org_scope(visit.actor, visit.org) as scope:
            self._show(await orgs.bi_credentials(scope))

    @rx.event
    @guarded(Role.ADMIN)
    async def roll(self, visit: Visit) -> None:
        """A new password; the old one stops at once."""
        async with org_scope(visit.actor, visit.org) as scope:
            self._show(await orgs.bi_credentials(scope, roll=True))

    def _show(self, found: BiCredentials) -> None:
        self.host, self.port, self.database = found.host, str(found.port), found.database
        self.username, self.db_schema = found.username, found.db_schema
        self.password = found.password or ""
        self.snippets = _snippets(found)
        self.loaded = True


def _token(one: TokenInfo, mine: bool) -> TokenRow:
    may = "read only" if one.read_only else f"as {one.role}" if one.role else "all you may"
    return TokenRow(
        id=str(one.id),
        name=one.name,
        owner="You" if mine else one.email,
        scope=f"{may if mine or may != 'all you may' else 'all they may'}"
        f"{'' if one.org else ', every org'}",
        expires=moment(one.expires_at),
        used=moment(one.last_used_at),
        revocable=mine or one.org is not None,
    )


def _snippets(found: BiCredentials) -> list[Snippet]:
    """For tools people use; none holds the password."""
    where = f"host={found.host} port={found.port} dbname={found.database} user={found.username}"
    return [
        Snippet("psql", f'psql "{where}" -c "set search_path to {found.db_schema}"'),
        Snippet(
            "Metabase",
            f"Type PostgreSQL\nHost {found.host}\nPort {found.port}\n"
            f"Database {found.database}\nUsername {found.username}\n"
            f"Schemas Only these: {found.db_schema}",
        ),
        Snippet(
            "Power BI",
            f"Get data, PostgreSQL database\nServer {found.host}:{found.port}\n"
            f"Database {found.database}\nThen choose tables of {found.db_schema}",
        ),
    ]
