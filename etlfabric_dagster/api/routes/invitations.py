"""Invitations as the invited person sees them. The link's token goes in the body: paths are
logged.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request, Response
from pydantic import Field, SecretStr

from etlfabric_dagster.api.cookies import set_cookie
from etlfabric_dagster.api.deps import (
    AUDIENCE,
    COOKIE,
    anybody,
    client_address,
    current_actor,
)
from etlfabric_dagster.api.routing import router as make_router
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.people import InvitationShown, Me
from etlfabric_dagster.services import accounts, addresses, invitations, sessions
from etlfabric_dagster.services.scope import Actor

router = make_router("invitations")
Secret = Annotated[SecretStr, Field(max_length=1000)]


class LinkIn(Value):
    """The token of the link."""

    token: Secret


class AcceptIn(LinkIn):
    """The token; a name and a password from who has no account yet."""

    name: Annotated[str, Field(max_length=400)] = ""
    password: Secret = SecretStr("")


@router.post("/show", dependencies=[Depends(anybody)])
async def show_invitation(given: LinkIn) -> InvitationShown:
    """Who invites whom to what. 410 when it was used or has expired."""
    return await invitations.show(given.token.get_secret_value())


@router.post("/accept", dependencies=[Depends(anybody)])
async def accept_invitation(
    request: Request, response: Response, later: BackgroundTasks, given: AcceptIn
) -> Me:
    """Join: signed in as the invited address, or with a new password. A second time is 410."""
    named = "authorization" in request.headers or COOKIE in request.cookies
    actor = await current_actor(request) if named else None
    user_id = await invitations.accept(
        given.token.get_secret_value(),
        actor=actor,
        name=given.name,
        password=given.password.get_secret_value(),
        address=client_address(request),
    )
    if actor is not None:
        return await accounts.me(actor)
    later.add_task(addresses.send_verification, user_id)  # the link may have come another way
    grant = await sessions.open_for(
        user_id,
        AUDIENCE,
        user_agent=request.headers.get("user-agent", ""),
        address=client_address(request) or "",
    )
    set_cookie(request, response, grant)
    return await accounts.me(Actor("", user_id=user_id))
