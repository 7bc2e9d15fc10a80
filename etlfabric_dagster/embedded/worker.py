"""A worker of this host: Celery's processes, a sandbox server, and a stop that loses nothing.

On SIGTERM it takes no new run and lets those it has end for `ETLFABRIC_DRAIN_S`; then it hands
their leases over, which stops them within a heartbeat, and another worker goes on.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import psutil
from celery import signals

from etlfabric_dagster import aio, logs
from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.keeper import SandboxKeeper
from etlfabric_dagster.embedded.processes import QUEUES
from etlfabric_dagster.logs import log
from etlfabric_dagster.services import leases
from etlfabric_dagster.tasks import worker


def main(name: str = "runs", slots: int | None = None) -> None:
    """Work on a queue until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    node, queue_name = QUEUES[name]
    keeper = SandboxKeeper() if settings.sandbox_socket is None else None
    app = worker.make()
    signals.worker_shutting_down.connect(_begin_drain)
    if keeper:
        signals.worker_init.connect(keeper.wait_ready)  # after the warm-up, before any run
        keeper.start()
    try:
        app.worker_main(arguments(node, queue_name, slots or _slots(name)))
    finally:
        if keeper:
            keeper.stop()


def arguments(node: str, queue_name: str, slots: int) -> list[str]:
    """Celery's command line."""
    return [
        *("worker", "-n", f"{node}@%h", "-Q", queue_name, "--concurrency", str(slots)),
        *("-l", "info", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def hand_over() -> int:
    """Give the leases of this process' children back; their runs start anew elsewhere."""
    host = socket.gethostname()
    mine = [f"{host}:{child.pid}" for child in psutil.Process().children()]
    lost = aio.run(leases.release(mine))
    for attempt in lost:
        log.info("run.handed_over", run=str(attempt.run_id), attempt=attempt.number)
    return len(lost)


def _begin_drain(**_: Any) -> None:
    timer = threading.Timer(settings.drain_s, hand_over)
    timer.daemon = True
    timer.start()


def _slots(name: str) -> int:
    return settings.workers if name == "runs" else settings.interactive_workers
