"""How often people may try to sign in, per account and per address, and ask for other things.

Counted in Redis, over all processes of the install; where Redis cannot be used, in this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from functools import cache
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import RateLimitedError
from etlfabric_dagster.logs import log

PER_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign_in_account")
PER_ADDRESS = RateLimitItemPerMinute(300, 15, namespace="sign_in_address")  # an office behind NAT
REDIS_TIMEOUT_S = 1

Key = tuple[RateLimitItem, str]


async def count_sign_in(email: str, address: str) -> None:
    """Before the password is looked at, so that guesses at the same time count too.

    Raises: RateLimitedError, in the same words for an account that does not exist.
    """
    keys: list[Key] = [(PER_ACCOUNT, _account(email))]
    keys += [(PER_ADDRESS, address)] if address else []
    wait_s = await asyncio.to_thread(_count, keys)
    if wait_s:
        raise RateLimitedError(
            "Too many tries to sign in, to this account or from this address.",
            f"Wait {math.ceil(wait_s / 60)} minutes, then try again.",
            retry_after_s=wait_s,
        )


async def take(item: RateLimitItem, who: str, what: str, remedy: str) -> None:
    """Count one of `what`, by whom.

    Raises: RateLimitedError when there were too many.
    """
    wait_s = await asyncio.to_thread(_count, [(item, who)])
    if wait_s:
        raise RateLimitedError(
            f"Too many {what}. Wait {_readable(wait_s)}.", remedy, retry_after_s=wait_s
        )


async def forgive(email: str) -> None:
    """Somebody signed in: the account's tries count from none again."""
    await asyncio.to_thread(_clear, (PER_ACCOUNT, _account(email)))


def _readable(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"


def _account(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode(errors="replace")).hexdigest()


def _count(keys: list[Key]) -> int:
    """Seconds to wait; 0 when the try may be made."""
    try:
        return _seconds_to_wait(_shared(settings.redis), keys)
    except StorageError as exc:
        log.warning("throttle.local", error=type(exc.storage_error).__name__)
        return _seconds_to_wait(_local(), keys)


def _seconds_to_wait(limiter: MovingWindowRateLimiter, keys: list[Key]) -> int:
    full = [key for key in keys if not limiter.hit(*key)]
    resets = [limiter.get_window_stats(*key).reset_time for key in full]
    return max((max(1, math.ceil(at - time.time())) for at in resets), default=0)


def _clear(key: Key) -> None:
    try:
        _shared(settings.redis).clear(*key)
    except StorageError:
        _local().clear(*key)


@cache
def _shared(url: str) -> MovingWindowRateLimiter:
    timeouts: Any = {"socket_timeout": REDIS_TIMEOUT_S, "socket_connect_timeout": REDIS_TIMEOUT_S}
    return MovingWindowRateLimiter(RedisStorage(url, wrap_exceptions=True, **timeouts))


@cache
def _local() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())
