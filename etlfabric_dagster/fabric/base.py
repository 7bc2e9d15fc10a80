"""What every part of an org shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar

from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

T = TypeVar("T")
Streams = Mapping[str, Any] | Literal["all"]


class InOrg:
    """What every part of an org shares: the actor and the slug."""

    def __init__(self, actor: Actor, slug: str) -> None:
        self._actor = actor
        self._slug = slug

    def _scoped(self, call: Callable[[OrgScope], Awaitable[T]]) -> T:
        async def inside() -> T:
            async with org_scope(self._actor, self._slug) as scope:
                return await call(scope)

        return _run(inside())
