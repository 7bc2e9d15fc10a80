"""The app of a worker process: its tasks, its limits, and what happens around the fork."""

from __future__ import annotations

from typing import Any

from celery import Celery, bootsteps, signals

from etlfabric_dagster import logs, queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration import warmup
from etlfabric_dagster.tasks import child, heartbeats

CHILD_MAX_RUNS = 1000  # a fresh child costs its first run 0.4-5 s, measured 2026-11
CHILD_MAX_KIB = 600 * 1024
CHILD_OPENS_WITHIN_S = 120.0
"""Celery kills a child that is not up by then, after 4 s by itself: a database that restarts, or a
machine that is busy, kept a worker killing its own children."""


def make() -> Celery:
    """The install's app, made ready for a worker. Idempotent. Raises StackError before `up`."""
    app = queue.celery_app()
    app.conf.update(
        include=[
            "etlfabric_dagster.tasks.alerts",
            "etlfabric_dagster.tasks.erasing",
            "etlfabric_dagster.tasks.interactive",
            "etlfabric_dagster.tasks.runs",
        ],
        worker_concurrency=settings.workers,
        worker_max_memory_per_child=CHILD_MAX_KIB,
        worker_max_tasks_per_child=CHILD_MAX_RUNS,
        worker_proc_alive_timeout=CHILD_OPENS_WITHIN_S,
    )
    steps: Any = app.steps
    steps["consumer"].add(OfferSlots)
    signals.setup_logging.connect(_configure_logs)
    signals.worker_init.connect(warmup.before_fork)
    signals.worker_process_init.connect(child.opened)
    signals.worker_process_shutdown.connect(child.closed)
    return app


def _configure_logs(**_: object) -> None:
    logs.configure(settings.log_level)


class OfferSlots(bootsteps.StartStopStep):
    """Tells how many runs this worker executes at a time, for as long as its own loop turns; anew
    after each reconnection, at which Celery forgets its timers.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """`parent` is Celery's consumer."""
        if queue.RUNS in {one.name for one in parent.task_consumer.queues}:
            slots = parent.controller.concurrency
            heartbeats.offer(slots)
            parent.timer.call_repeatedly(heartbeats.BEAT_S, heartbeats.offer, (slots,))
