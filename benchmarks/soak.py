"""`--orgs N` (1,000) that load a tiny table each `--every S` (900) seconds, for `--minutes N` (60);
two workers.

Lag is from a schedule's due time to the start of its run. Memory is the proportional set size of
workers and scheduler; the second half of the time is compared with itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from rich.progress import Progress
from sqlalchemy import select, update

from benchmarks.clones import Template, counted
from benchmarks.hosts import Host, host, wait_until, workers_answer
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err
from benchmarks.tenants import Source, register
from etlfabric_dagster import clock
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.services import snapshots
from etlfabric_dagster.testing import postgres_cluster

INTERVAL_S, SAMPLE_S = 900, 15.0
LAG_TARGET_S, FLAT = 30.0, 1.05
TEMPLATE, TABLE, ROWS = "soak", "readings", 50
BLOAT = """
SELECT pg_total_relation_size('schedules'),
    (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE schemaname = 'public')
"""


@dataclass(frozen=True)
class Sample:
    """The install at one moment."""

    memory_mib: float
    schedules_bytes: int
    dead_rows: int


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--orgs", type=int, default=1000)
    parser.add_argument("--every", type=int, default=INTERVAL_S)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with (
        throw_away_install() as home,
        postgres_cluster(home / "source") as cluster,
        ExitStack() as stack,
    ):
        people = stack.enter_context(host("worker", "--queue", "interactive", "--slots", "2"))
        hosts = [stack.enter_context(host("worker", "--slots", "2")) for _ in range(2)]
        hosts.append(stack.enter_context(host("scheduler")))
        wait_until(lambda: workers_answer(2), "the workers")
        source = Source(cluster.dsn())
        _register(source, given.orgs)
        firsts = run(_spread(given.every))
        samples = _watch([people, *hosts], source, given.minutes * 60)
        ended = clock.now()
        due = set(_due(firsts, given.every, ended - timedelta(seconds=LAG_TARGET_S)))
        finish("soak", _figures(samples, run(_history(min(firsts.values()))), due))


def _register(source: Source, count: int) -> None:
    """Orgs whose pipelines and schedules stand, published."""
    source.fill([TABLE], ROWS)
    register(TEMPLATE, source, [TABLE], models="path:none")
    template = Template.read(TEMPLATE, source)
    with Progress(console=err) as bar, counted(bar, "orgs", count) as done:
        template.copy([f"{TEMPLATE}_{number}" for number in range(count)], done)
    wait_until(lambda: not run(snapshots.unpublished()), "the published orgs", 600 + count)


async def _spread(every_s: int) -> dict[UUID, datetime]:
    """Due times evenly over the interval, as they are once orgs have come one by one."""
    now = clock.now()
    async with get_session() as session:
        ids = list(await session.scalars(select(Schedule.id)))
        firsts = {
            one: now + timedelta(seconds=every_s * number / len(ids))
            for number, one in enumerate(ids)
        }
        for one, at in firsts.items():
            values = {"cron": None, "interval_s": every_s, "next_fire_at": at}
            await session.execute(update(Schedule).where(Schedule.id == one).values(values))
    return firsts


def _due(firsts: dict[UUID, datetime], every_s: int, until: datetime) -> Iterator[str]:
    """The fire keys of all that is due by then."""
    for schedule, at in firsts.items():
        while at <= until:
            yield f"{schedule}:{at.isoformat()}"
            at += timedelta(seconds=every_s)


def _watch(hosts: Sequence[Host], source: Source, seconds: float) -> list[Sample]:
    """Change the source and take samples until the time is over."""
    samples: list[Sample] = []
    url = settings.database.render_as_string(hide_password=False)
    ends = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as platform:
        while time.monotonic() < ends:
            time.sleep(min(SAMPLE_S, max(1.0, seconds / 20)))
            source.change([TABLE])
            schedules_bytes, dead = platform.execute(BLOAT.encode()).fetchone() or (0, 0)
            memory = sum(one.memory_mib() for one in hosts)
            samples.append(Sample(memory, int(schedules_bytes), int(dead)))
            left = ends - time.monotonic()
            err.print(f"{left:.0f} s left; {memory:.0f} MiB; {dead} dead rows")
    return samples


async def _history(began: datetime) -> list[dict[str, Any]]:
    query = select(Run.fire_key, Run.started_at, Run.finished_at, Run.status).where(
        Run.created_at >= began
    )
    async with get_session() as session:
        return [dict(row) for row in (await session.execute(query)).mappings()]


def _figures(
    samples: Sequence[Sample], history: Sequence[dict[str, Any]], due: Collection[str] = ()
) -> dict[str, Figure]:
    """`due`: fire keys whose runs must have started."""
    started = [one for one in history if one["started_at"] and one["fire_key"]]
    lags = [(one["started_at"] - _slot(one["fire_key"])).total_seconds() for one in started]
    ended = [one for one in started if one["finished_at"]]
    took = [(one["finished_at"] - one["started_at"]).total_seconds() for one in ended]
    half = samples[len(samples) // 2 :]
    early, late = half[: len(half) // 2], half[len(half) // 2 :]
    return {
        "runs": Figure(len(history)),
        "due": Figure(len(due)),
        "due_but_never_started": Figure(len({*due} - {one["fire_key"] for one in started}), 0),
        "runs_not_succeeded": Figure(sum(one["status"] != "succeeded" for one in ended), 0),
        "lag_p50_s": Figure(percentile(lags or [0.0], 0.5)),
        "lag_p95_s": Figure(percentile(lags or [0.0], 0.95), LAG_TARGET_S),
        "run_p50_s": Figure(percentile(took or [0.0], 0.5)),
        "memory_mib": Figure(late[-1].memory_mib),
        "memory_growth": Figure(_growth([one.memory_mib for one in early], late), FLAT),
        "schedules_table_growth": Figure(
            late[-1].schedules_bytes / max(1, early[0].schedules_bytes), FLAT
        ),
        "dead_rows_max": Figure(max(one.dead_rows for one in late)),
    }


def _growth(early: Sequence[float], late: Sequence[Sample]) -> float:
    before = sum(early) / len(early)
    return sum(one.memory_mib for one in late) / len(late) / before


def _slot(fire_key: str) -> datetime:
    return datetime.fromisoformat(fire_key.partition(":")[2])


if __name__ == "__main__":
    main()
