"""Can this install serve, and how much work waits?"""

from __future__ import annotations

import asyncio
from functools import cache

import redis
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import InteractiveRequest, Run
from etlfabric_dagster.schemas.runs import QueueDepth, RunStatus
from etlfabric_dagster.services import migrations

TIMEOUT_S = 2
_head = cache(migrations.head)


async def readiness() -> dict[str, str]:
    """Each server that a request needs: `ok`, or why it cannot be used."""
    database, broker = await asyncio.gather(_database(), asyncio.to_thread(_broker))
    return {"database": database, "redis": broker}


async def queue_depth() -> QueueDepth:
    """Counted now, over all orgs."""
    status = (
        func.count().filter(Run.status == RunStatus.QUEUED),
        func.count().filter(Run.status == RunStatus.RUNNING),
        func.min(Run.created_at).filter(Run.status == RunStatus.QUEUED),
        func.clock_timestamp(),
    )
    open_runs = select(*status).where(Run.status.in_((RunStatus.QUEUED, RunStatus.RUNNING)))
    asked = select(func.count()).where(InteractiveRequest.status == "queued")
    async with get_session() as session:
        queued, running, oldest, now = (await session.execute(open_runs)).one()
        waiting = await session.scalar(asked)
    return QueueDepth(
        queued=queued,
        running=running,
        oldest_queued_s=(now - oldest).total_seconds() if oldest else 0,
        interactive_waiting=waiting or 0,
    )


async def _database() -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S), get_session() as session:
            revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
    except (SQLAlchemyError, OSError) as exc:
        return f"cannot be reached: {type(exc).__name__}"
    if revision != _head("public"):
        return "is not migrated to this version: etlfabric db upgrade"
    return "ok"


def _broker() -> str:
    try:
        with redis.Redis.from_url(
            settings.redis, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as exc:
        return f"cannot be reached: {type(exc).__name__}"
    return "ok"
