"""Signs of life for `etlfabric status`: Redis keys that expire, one per process and host.

A host is a home: several on one machine, in containers or tests, are told apart.
"""

from __future__ import annotations

import socket
import zlib
from typing import cast

import redis

from etlfabric_dagster.clock import now
from etlfabric_dagster.config import settings
from etlfabric_dagster.logs import log

TTL_S = 15


def this_host() -> str:
    """The name under which this home's processes sign: the machine's, and a mark of the home."""
    return f"{socket.gethostname()}-{zlib.crc32(bytes(settings.home_dir)):08x}"


def key(process: str, host: str) -> str:
    """Where a process's sign of life is kept."""
    return f"etlfabric:heartbeat:{process}:{host}"


def beat(process: str) -> None:
    """Say that the process works here. Never fails it."""
    try:
        with redis.Redis.from_url(settings.redis, socket_timeout=2) as client:
            client.set(key(process, this_host()), now().isoformat(), ex=TTL_S)
    except redis.RedisError as exc:
        log.warning("heartbeat.not_told", process=process, error=type(exc).__name__)


def hosts(process: str, timeout_s: float = 2) -> dict[str, str]:
    """Host → when the process last said there that it works (ISO 8601), if lately.

    Raises redis.RedisError.
    """
    every = key(process, "")
    with redis.Redis.from_url(
        settings.redis, socket_timeout=timeout_s, decode_responses=True
    ) as client:
        names = cast(list[str], list(client.scan_iter(match=f"{every}*", count=1000)))
        said = cast(list[str | None], client.mget(names)) if names else []
    found = zip(names, said, strict=True)
    return {name.removeprefix(every): at for name, at in found if at is not None}


def last(process: str) -> str | None:
    """When the process last said so on any host; None when that is too long ago."""
    return max(hosts(process).values(), default=None)
