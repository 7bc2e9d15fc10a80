"""Worker children: recycled by count and by memory."""

from __future__ import annotations

from etlfabric_dagster.config import Settings
from etlfabric_dagster.tasks import worker


def test_children_are_recycled_by_count_and_by_memory(migrated: Settings) -> None:
    conf = worker.make().conf
    assert conf.worker_max_tasks_per_child == worker.CHILD_MAX_RUNS
    assert conf.worker_max_memory_per_child == worker.CHILD_MAX_KIB
