"""Worker children: recycled by count and by memory, and given time to open their connections."""

from __future__ import annotations

from etlfabric_dagster.config import Settings
from etlfabric_dagster.tasks import worker


def test_children_are_recycled_by_count_and_by_memory(migrated: Settings) -> None:
    conf = worker.make().conf
    assert conf.worker_max_tasks_per_child == worker.CHILD_MAX_RUNS
    assert conf.worker_max_memory_per_child == worker.CHILD_MAX_KIB


def test_a_child_whose_database_is_slow_to_answer_is_not_killed_for_it(migrated: Settings) -> None:
    connecting_s = 10  # of the platform's database, and then of Dagster's
    assert worker.make().conf.worker_proc_alive_timeout > 2 * connecting_s
