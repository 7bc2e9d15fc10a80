"""Engines and sessions. `get_session()` is the only place that commits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from etlfabric_dagster import queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.models.base import TENANT_SCHEMA

POOL_SIZE = 5

_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine] = WeakKeyDictionary()


def engine() -> AsyncEngine:
    """The running loop's engine: asyncpg connections belong to one loop."""
    loop = asyncio.get_running_loop()
    if loop not in _engines:
        _engines[loop] = create_async_engine(
            settings.database.set(drivername="postgresql+asyncpg"),
            pool_size=POOL_SIZE,
            max_overflow=10,
            pool_pre_ping=False,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={"server_settings": {"application_name": "etlfabric"}, "timeout": 10},
        )
    return _engines[loop]


async def dispose() -> None:
    """Close the running loop's connections."""
    found = _engines.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.dispose()


def is_away(exc: BaseException) -> bool:
    """Whether the error says that the database cannot be reached now, and nothing about the work.

    Dagster's own connections are told too, also where it wraps what they said.
    """
    if isinstance(exc.__cause__, DBAPIError):
        return is_away(exc.__cause__)
    if isinstance(exc, DBAPIError):
        return exc.connection_invalidated or isinstance(exc, OperationalError | InterfaceError)
    return isinstance(exc, OSError | asyncpg.InterfaceError | asyncpg.PostgresConnectionError)


def tenant_schema(org_id: UUID) -> str:
    """The org's configuration schema; its data schemas add `_raw`, `_staging`, `_marts`."""
    return f"tenant_{org_id.hex}"


@asynccontextmanager
async def get_session(org_id: UUID | None = None) -> AsyncIterator[AsyncSession]:
    """One transaction: commits at the end, rolls back on any error, then rings what was enqueued.

    Args:
        org_id: whose tenant tables the session may reach; None = public tables only.
    """
    bind = engine()
    if org_id is not None:
        mapping = {TENANT_SCHEMA: tenant_schema(org_id)}
        bind = bind.execution_options(schema_translate_map=mapping)
    async with AsyncSession(bind, expire_on_commit=False) as session:
        try:
            yield session
            await session.commit()
        except BaseException:
            await session.rollback()
            raise
        doorbells = queue.take_doorbells(session)
    if doorbells:
        await asyncio.to_thread(queue.ring_all, doorbells)


os.register_at_fork(after_in_child=_engines.clear)
