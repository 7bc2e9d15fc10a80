"""People of the install, for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import Field

from etlfabric_dagster.api.deps import CurrentActor, PageQuery
from etlfabric_dagster.api.routes.tokens import TokenIn
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.orgs import TokenOut, UserOut
from etlfabric_dagster.schemas.people import SessionOut
from etlfabric_dagster.services import tokens, users

router = make_router("users")
Email = Annotated[str, Path(max_length=254)]


class UserIn(Value):
    """A new person."""

    email: Annotated[str, Field(max_length=254)]
    operator: bool = False


class IssuedIn(TokenIn):
    """The token's name and limits; without limits it acts as the person."""

    name: Annotated[str, Field(max_length=200)] = "cli"


@router.get("")
async def list_users(actor: CurrentActor, page: PageQuery) -> Page[UserOut]:
    """All people by address. Operators."""
    return await users.list_users(actor, page.cursor, page.limit)


@router.post("", status_code=201)
async def create_user(actor: CurrentActor, given: UserIn) -> UserOut:
    """Register a person without a password. Operators."""
    return await users.create(actor, given.email, operator=given.operator)


@router.post("/{email}/token", status_code=201)
async def issue_user_token(
    actor: CurrentActor, email: Email, given: IssuedIn | None = None
) -> TokenOut:
    """A token that acts as the person, or as less, shown this once. Operators."""
    return await tokens.issue_for(actor, email, **dict(given or IssuedIn()))


@router.get("/{email}/sessions")
async def get_user_sessions(actor: CurrentActor, email: Email) -> Page[SessionOut]:
    """Where the person is signed in. Operators."""
    return await users.sessions_of(actor, email)


@router.delete("/{email}/sessions")
async def sign_user_out(actor: CurrentActor, email: Email) -> UserOut:
    """End the person's sessions; their tokens go on. Operators."""
    return await users.sign_out(actor, email)


@router.post("/{email}/disable")
async def disable_user(actor: CurrentActor, email: Email) -> UserOut:
    """Shut a person out at once, sessions and tokens included. Operators."""
    return await users.set_disabled(actor, email, disabled=True)


@router.post("/{email}/enable")
async def enable_user(actor: CurrentActor, email: Email) -> UserOut:
    """Let a person in again. Operators."""
    return await users.set_disabled(actor, email, disabled=False)
