"""Run one service call inside an org, as the operator who has this install's settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from etlfabric_dagster.aio import run
from etlfabric_dagster.services.scope import OPERATOR, OrgScope, org_scope

T = TypeVar("T")


def scoped(slug: str, call: Callable[[OrgScope], Awaitable[T]]) -> T:
    """Open a transaction inside the org, call, commit. Blocking."""

    async def inside() -> T:
        async with org_scope(OPERATOR, slug) as scope:
            return await call(scope)

    return run(inside())
