"""Doorbells: Celery messages with ids only, sent after the commit that made them true.

A doorbell may be lost (Redis wiped, broker down): the reconciler rings again. So sending never
fails a request. Celery and the Redis client take 0.3 s to import: only who rings pays for them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from etlfabric_dagster.config import settings
from etlfabric_dagster.logs import log

if TYPE_CHECKING:
    from celery import Celery
    from sqlalchemy.ext.asyncio import AsyncSession

RUNS = "etlfabric.runs"
INTERACTIVE = "etlfabric.interactive"

_PENDING = "etlfabric.doorbells"


@cache
def celery_app() -> Celery:
    """The Celery app, JSON only; tasks register on it in `tasks`."""
    app: Celery = import_module("celery").Celery("etlfabric", broker=settings.redis)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_keepalive": True,
            "visibility_timeout": 3600,
            # a dead broker must not hold a request: the reconciler rings again
            "max_retries": 1,
            "interval_start": 0,
        },
        task_default_queue=RUNS,
        task_ignore_result=True,
        task_send_sent_event=False,
        task_serializer="json",
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
    )
    return app


def ring_after_commit(session: AsyncSession, task: str, *args: str, queue: str = RUNS) -> None:
    """Send `task(*args)` once the session's commit has succeeded."""
    session.info.setdefault(_PENDING, []).append((task, args, queue))


def take_doorbells(session: AsyncSession) -> list[tuple[str, tuple[str, ...], str]]:
    """What is to be sent, once."""
    return session.info.pop(_PENDING, [])


def ring(task: str, *args: str, queue: str = RUNS) -> bool:
    """Send now. Returns False when the broker cannot be reached: the reconciler will ring again."""
    try:
        celery_app().send_task(task, args=list(args), queue=queue, retry=False)
    except (import_module("kombu.exceptions").OperationalError, OSError) as exc:
        log.warning("doorbell.lost", task=task, error=type(exc).__name__)
        return False
    return True


def unheard(queue: str) -> int:
    """How many doorbells wait in the broker; 0 when it cannot be asked. Blocking."""
    redis = import_module("redis")
    try:
        with redis.Redis.from_url(settings.redis, socket_timeout=2) as client:
            return client.llen(queue)
    except redis.RedisError:
        return 0


def ring_all(doorbells: list[tuple[str, tuple[str, ...], str]]) -> None:
    """Send what `take_doorbells` gave."""
    for task, args, queue in doorbells:
        ring(task, *args, queue=queue)


def reset(**_: Any) -> None:
    """Forget the app: settings changed."""
    celery_app.cache_clear()
