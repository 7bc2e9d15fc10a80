"""What one worker child holds: the Dagster instance, and through it pooled connections.

Opened in the child, before a task arrives; nothing of it is ever shared over a fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from functools import cache
from typing import Any

from etlfabric_dagster import aio
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import dispose
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.attempts import fence_events
from etlfabric_dagster.orchestration.instance import DagsterInstance, open_instance
from etlfabric_dagster.services import snapshots

MADE_BEFORE_A_LOOK = 10_000
"""Objects before the garbage collector looks, instead of 700: it was 3 % of a run's processor time
here (measured 2026-11)."""
NO_RUN = "00000000-0000-0000-0000-000000000000"


@cache
def instance() -> DagsterInstance:
    """The child's Dagster instance; it refuses events of attempts that lost their lease."""
    return fence_events(open_instance(settings))


def name() -> str:
    """How this child signs attempts."""
    return f"{socket.gethostname()}:{os.getpid()}"


def opened(**_: Any) -> None:
    """Open what the first task would otherwise wait for. A server that is away is tried again by
    the task itself.
    """
    gc.freeze()
    gc.set_threshold(MADE_BEFORE_A_LOOK, 20, 20)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C goes to the parent, which ends us warmly
    try:
        aio.run(snapshots.versions())
        instance().get_run_by_id(NO_RUN)
    except Exception as exc:
        log.warning("child.not_warm", error=type(exc).__name__)


def closed(**_: Any) -> None:
    """Close connections, so that servers do not log broken ones."""
    with contextlib.suppress(Exception):
        if instance.cache_info().currsize:
            instance().dispose()
        aio.run(dispose())
