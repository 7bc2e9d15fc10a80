"""The clock: `python -m etlfabric_dagster.tasks.scheduler`.

APScheduler only ticks; what is due, lost or unheard is decided by rows, so any number of these
processes may run.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler

from etlfabric_dagster import aio, clock, logs, queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration import agreement, records, retention
from etlfabric_dagster.orchestration.instance import DagsterInstance, open_instance
from etlfabric_dagster.services import (
    alert_watch,
    erasures,
    interactive,
    leases,
    schedules,
    snapshots,
)
from etlfabric_dagster.tasks import heartbeats

PROCESS = "scheduler"
SETTLE_WITHIN_S, DAY_S = 600, 24 * 3600
MAX_UNHEARD = 100
"""Doorbells before people's own: a thousand orgs made at once must not keep them waiting."""

Ticks = dict[Callable[[DagsterInstance], None], float]


def fire(_: DagsterInstance) -> None:
    """Queue what is due, batch by batch, until nothing is."""
    while aio.run(schedules.fire_due(clock.now())) == schedules.DUE_LIMIT:
        pass


def reconcile(instance: DagsterInstance) -> None:
    """End lost attempts, in Dagster too, and ring again for what nobody has heard."""
    for lost in aio.run(leases.expire_leases()):
        log.warning("attempt.lost", run=str(lost.run_id), attempt=lost.number)
        records.end_lost(instance, lost)
    aio.run(leases.ring_stale())
    aio.run(interactive.ring_stale())
    aio.run(alert_watch.ring_stale())


def watch(_: DagsterInstance) -> None:
    """Tell of pipelines that are late, and ring for orgs that are to be erased: nothing else
    happens when nothing happens.
    """
    aio.run(alert_watch.watch_staleness())
    for org in aio.run(erasures.requested()):
        queue.ring(erasures.ERASE, str(org[0]), queue=queue.INTERACTIVE)


def settle(instance: DagsterInstance) -> None:
    """Make Dagster's record say what ours says, and ring for orgs that wait to be published."""
    agreement.agree(instance, SETTLE_WITHIN_S)
    room = max(0, MAX_UNHEARD - queue.unheard(queue.INTERACTIVE))
    for org_id in aio.run(snapshots.unpublished())[:room]:
        queue.ring(snapshots.PUBLISH, str(org_id), queue=queue.INTERACTIVE)


def clean(instance: DagsterInstance) -> None:
    """Forget what is older than the retention; compare a day of records."""
    log.info("records.forgotten", **retention.prune(instance).model_dump())
    agreement.agree(instance, DAY_S)


def alive(_: DagsterInstance) -> None:
    """For `etlfabric status`."""
    heartbeats.beat(PROCESS)


TICKS: Ticks = {fire: 1, reconcile: 2, settle: 5, alive: 5, watch: 60, clean: 3600}
"""What is done, and how often (seconds)."""


def make(instance: DagsterInstance) -> BlockingScheduler:
    """The scheduler with its ticks: one of a kind at a time, late ones once."""
    scheduler = BlockingScheduler(timezone=UTC)
    for tick, every_s in TICKS.items():
        at_once: dict[str, Any] = {} if tick is clean else {"next_run_time": clock.now()}
        scheduler.add_job(
            _guarded(tick, instance),
            "interval",
            seconds=every_s,
            id=tick.__name__,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            **at_once,
        )
    return scheduler


def main() -> None:
    """Tick until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    with open_instance(settings) as instance:
        scheduler = make(instance)

        def stop(*_: Any) -> None:
            scheduler.shutdown(wait=False)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        scheduler.start()


def _guarded(
    tick: Callable[[DagsterInstance], None], instance: DagsterInstance
) -> Callable[[], None]:
    """A tick that fails (the database is away) says so and comes again."""

    def run() -> None:
        try:
            tick(instance)
        except Exception as exc:
            log.warning(
                "tick.failed", tick=tick.__name__, error=f"{type(exc).__name__}: {exc}"[:300]
            )

    return run


if __name__ == "__main__":
    main()
