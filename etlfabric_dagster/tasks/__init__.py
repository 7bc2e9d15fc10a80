"""The Celery app: `celery -A etlfabric_dagster.tasks worker -Q etlfabric.runs`.

Tasks carry ids only and may be delivered twice or never: rows decide, doorbells only wake.
"""

from __future__ import annotations

from celery import signals

from etlfabric_dagster import logs, queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration import warmup
from etlfabric_dagster.tasks import child

CHILD_MAX_RUNS = 1000  # a fresh child costs its first run 0.4-5 s, measured 2026-11
CHILD_MAX_KIB = 600 * 1024

app = queue.celery_app()
app.conf.update(
    include=["etlfabric_dagster.tasks.runs", "etlfabric_dagster.tasks.interactive"],
    worker_concurrency=settings.workers,
    worker_max_memory_per_child=CHILD_MAX_KIB,
    worker_max_tasks_per_child=CHILD_MAX_RUNS,
)

signals.setup_logging.connect(lambda **_: logs.configure(settings.log_level), weak=False)
signals.worker_init.connect(warmup.before_fork, weak=False)
signals.worker_process_init.connect(child.opened, weak=False)
signals.worker_process_shutdown.connect(child.closed, weak=False)
