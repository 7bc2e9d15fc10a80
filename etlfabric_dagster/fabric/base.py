"""What every part of an org shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

from etlfabric_dagster.fabric.gateway import Gateway, Request, at
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

T = TypeVar("T")
Streams = Mapping[str, Any] | Literal["all"]


class InOrg:
    """What every part of an org shares: where it asks, and the slug."""

    def __init__(self, gateway: Gateway, slug: str) -> None:
        self._gateway = gateway
        self._slug = slug

    def _ask(self, here: Callable[[Actor, str], Awaitable[T]], there: Request[T]) -> T:
        """Ask a service of the org here, or send the request below its path there."""
        below = replace(there, path=f"/orgs/{at(self._slug)}/{there.path}".rstrip("/"))
        return self._gateway.ask(lambda actor: here(actor, self._slug), below)

    def _scoped(self, here: Callable[[OrgScope], Awaitable[T]], there: Request[T]) -> T:
        """The same for services that work inside an open transaction."""

        async def inside(actor: Actor, slug: str) -> T:
            async with org_scope(actor, slug) as scope:
                return await here(scope)

        return self._ask(inside, there)
