"""One background event loop per process, so that synchronous code can call services.

Celery children, Dagster assets, the CLI and `Fabric` are synchronous; services are not. The loop,
and with it the database engine bound to it, is made on first use and forgotten after a fork.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the process's background loop and wait for it. Blocking."""
    return begin(coro).result()


def begin(coro: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on the process's background loop; ask for its result when you need it."""
    return asyncio.run_coroutine_threadsafe(coro, _running_loop())


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = uvloop.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="etlfabric-aio", daemon=True).start()
        return _loop


def _forget() -> None:
    global _loop, _lock
    _loop = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
