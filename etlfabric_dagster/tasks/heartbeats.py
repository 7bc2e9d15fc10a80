"""Signs of life: Redis keys that expire, one per process and host, for `etlfabric status`; and the
run slots of each worker, for claims.

A host is a home: several on one machine, in containers or tests, are told apart.
"""

from __future__ import annotations

import os
import socket
import time
import zlib
from typing import cast

import redis

from etlfabric_dagster.clock import now
from etlfabric_dagster.config import settings
from etlfabric_dagster.logs import log

TTL_S = 15
BEAT_S = 5.0
SLOTS = "slots"

_slots_seen = (float("-inf"), 0)
"""When the workers' slots were last counted by this process, and how many there were."""


def this_host() -> str:
    """The name under which this home's processes sign: the machine's, and a mark of the home."""
    return f"{socket.gethostname()}-{zlib.crc32(bytes(settings.home_dir)):08x}"


def key(process: str, host: str) -> str:
    """Where a process's sign of life is kept."""
    return f"etlfabric:heartbeat:{process}:{host}"


def beat(process: str) -> None:
    """Say that the process works here. Never fails it."""
    _tell(process, this_host(), now().isoformat())


def offer(slots: int) -> None:
    """Say that this process executes so many runs at a time. Never fails it."""
    _tell(SLOTS, f"{this_host()}:{os.getpid()}", str(slots))


def slots() -> int:
    """How many runs all workers execute at a time, counted every few seconds; 0 when nobody says.

    Never fails: a broker that is away or was wiped costs fairness for a moment, nothing else.
    """
    global _slots_seen
    at, found = _slots_seen
    if time.monotonic() - at > BEAT_S:
        try:
            found = sum(map(int, hosts(SLOTS).values()))
        except redis.RedisError:
            found = 0
        _slots_seen = (time.monotonic(), found)
    return found


def hosts(process: str, timeout_s: float = 2) -> dict[str, str]:
    """Host → what the process last said there, if lately: when it did (ISO 8601), or its slots.

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


def _tell(process: str, host: str, what: str) -> None:
    try:
        with redis.Redis.from_url(settings.redis, socket_timeout=2) as client:
            client.set(key(process, host), what, ex=TTL_S)
    except redis.RedisError as exc:
        log.warning("heartbeat.not_told", process=process, error=type(exc).__name__)
