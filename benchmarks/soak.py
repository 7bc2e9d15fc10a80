"""`--orgs N` (1,000) that load a tiny table every 15 minutes, for `--minutes N` (60), two workers.

Lag is from a schedule's due time to the start of its run. Memory is the proportional set size of
workers and scheduler; the second half of the time is compared with itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select, update

from benchmarks.hosts import Host, host, wait_until, workers_answer
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster import clock
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.services import connections, orgs, pipelines, schedules
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.testing import postgres_cluster

INTERVAL_S, SAMPLE_S = 900, 15.0
LAG_TARGET_S, FLAT = 30.0, 1.05
SOURCE = """
CREATE TABLE readings (id bigint PRIMARY KEY, value float8, updated_at timestamptz NOT NULL);
INSERT INTO readings SELECT n, n, now() FROM generate_series(1, 50) n;
"""
CHANGE = "UPDATE readings SET value = random(), updated_at = now() WHERE id % 10 = 1"
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
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with (
        throw_away_install() as home,
        postgres_cluster(home / "source") as source,
        ExitStack() as stack,
    ):
        with psycopg.connect(source.dsn(), autocommit=True) as conn:
            conn.execute(SOURCE.encode())
        people = stack.enter_context(host("worker", "--queue", "interactive", "--slots", "2"))
        hosts = [stack.enter_context(host("worker", "--slots", "2")) for _ in range(2)]
        hosts.append(stack.enter_context(host("scheduler")))
        wait_until(lambda: workers_answer(2), "the workers")
        for number in range(given.orgs):
            run(_register(f"soak_{number}", source.dsn()))
        began = run(_spread(given.orgs))
        samples = _watch([people, *hosts], source.dsn(), given.minutes * 60)
        finish("soak", _figures(samples, run(_history(began))))


async def _register(slug: str, dsn: str) -> None:
    facts = conninfo_to_dict(dsn)
    config = {
        "dialect": "postgresql",
        "host": facts["host"],
        "port": int(facts["port"] or 5432),
        "database": facts["dbname"],
        "username": facts["user"],
        "tls": "prefer",
    }
    await orgs.create(OPERATOR, slug, slug)
    async with org_scope(OPERATOR, slug) as scope:
        secrets = {"password": facts["password"]}
        await connections.create(scope, "plant", "sql_database", config, secrets)
    stream = {"mode": "incremental", "cursor": "updated_at", "primary_key": ["id"]}
    await pipelines.create(
        OPERATOR, slug, "plant", connection="plant", streams={"readings": stream}
    )
    async with org_scope(OPERATOR, slug) as scope:
        await schedules.set_schedule(scope, "plant", interval_s=INTERVAL_S)


async def _spread(count: int) -> datetime:
    """Due times evenly over the interval, as they are once orgs have come one by one."""
    now = clock.now()
    async with get_session() as session:
        ids = list(await session.scalars(select(Schedule.id)))
        for number, one in enumerate(ids):
            at = now + timedelta(seconds=INTERVAL_S * number / count)
            await session.execute(
                update(Schedule).where(Schedule.id == one).values(next_fire_at=at)
            )
    return now


def _watch(hosts: Sequence[Host], source_dsn: str, seconds: float) -> list[Sample]:
    """Change the source and take samples until the time is over."""
    samples: list[Sample] = []
    url = settings.database.render_as_string(hide_password=False)
    ends = time.monotonic() + seconds
    with (
        psycopg.connect(url, autocommit=True) as platform,
        psycopg.connect(source_dsn, autocommit=True) as source,
    ):
        while time.monotonic() < ends:
            time.sleep(min(SAMPLE_S, max(1.0, seconds / 20)))
            source.execute(CHANGE.encode())
            schedules_bytes, dead = platform.execute(BLOAT.encode()).fetchone() or (0, 0)
            memory = sum(one.memory_mib() for one in hosts)
            samples.append(Sample(memory, int(schedules_bytes), int(dead)))
    return samples


async def _history(began: datetime) -> list[dict[str, Any]]:
    query = select(Run.fire_key, Run.started_at, Run.finished_at, Run.status).where(
        Run.created_at >= began
    )
    async with get_session() as session:
        return [dict(row) for row in (await session.execute(query)).mappings()]


def _figures(samples: Sequence[Sample], history: Sequence[dict[str, Any]]) -> dict[str, Figure]:
    started = [one for one in history if one["started_at"] and one["fire_key"]]
    lags = [(one["started_at"] - _slot(one["fire_key"])).total_seconds() for one in started]
    ended = [one for one in started if one["finished_at"]]
    took = [(one["finished_at"] - one["started_at"]).total_seconds() for one in ended]
    half = samples[len(samples) // 2 :]
    early, late = half[: len(half) // 2], half[len(half) // 2 :]
    return {
        "runs": Figure(len(history)),
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
