"""Signs of life for `etlfabric status`: Redis keys that expire."""

from __future__ import annotations

from typing import cast

import redis

from etlfabric_dagster.clock import now
from etlfabric_dagster.config import settings
from etlfabric_dagster.logs import log

TTL_S = 15


def key(process: str) -> str:
    """Where a process's sign of life is kept."""
    return f"etlfabric:heartbeat:{process}"


def beat(process: str) -> None:
    """Say that the process works. Never fails it."""
    try:
        with redis.Redis.from_url(settings.redis, socket_timeout=2) as client:
            client.set(key(process), now().isoformat(), ex=TTL_S)
    except redis.RedisError as exc:
        log.warning("heartbeat.not_told", process=process, error=type(exc).__name__)


def last(process: str) -> str | None:
    """When the process last said so (ISO 8601); None when that is too long ago."""
    with redis.Redis.from_url(settings.redis, socket_timeout=2, decode_responses=True) as client:
        return cast(str | None, client.get(key(process)))  # typed for its asyncio twin too
