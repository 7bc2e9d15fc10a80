"""`--schedules N` (10,000) due at once, three schedulers, two of them killed while they fire."""

from __future__ import annotations

import argparse
import random
import signal
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update

from benchmarks.hosts import Host, host, wait_until
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish
from etlfabric_dagster import clock
from etlfabric_dagster.aio import run
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run, Schedule
from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.tasks import heartbeats

TARGET_S = 5.0
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    count = parser.parse_args().schedules
    with throw_away_install(), ExitStack() as stack:
        org = run(orgs.create(OPERATOR, "clock", "Clock"))
        run(fill(org.id, count))
        pollers = [stack.enter_context(host("scheduler")) for _ in range(3)]
        wait_until(lambda: all(map(_ticks, pollers)), "the schedulers")
        seconds, kills = _drain(pollers)
        missed, double = run(verdict())
    finish(
        "clock",
        {
            "drained_s": Figure(seconds, TARGET_S),
            "missed": Figure(missed, 0),
            "double": Figure(double, 0),
            "kills": Figure(kills),
            "schedules": Figure(count),
        },
    )


async def fill(org_id: UUID, count: int) -> None:
    """Schedules of pipelines that exist in name only, due in a day."""
    tomorrow = clock.now() + timedelta(days=1)
    rows = [
        {
            "id": uuid4(),
            "org_id": org_id,
            "pipeline_id": uuid4(),
            "pipeline_name": f"p{n}",
            "cron": f"{n % 60} {n % 24} * * *",
            "timezone": ZONES[n % len(ZONES)],
            "next_fire_at": tomorrow,
        }
        for n in range(count)
    ]
    async with get_session() as session:
        await session.execute(insert(Schedule), rows)


async def make_due() -> datetime:
    """All of them, now."""
    now = clock.now()
    async with get_session() as session:
        await session.execute(update(Schedule).values(next_fire_at=now))
    return now


async def due() -> int:
    """How many still wait."""
    async with get_session() as session:
        query = select(func.count()).where(Schedule.next_fire_at <= clock.now())
        return await session.scalar(query) or 0


async def verdict() -> tuple[int, int]:
    """(schedules without a run, runs too many)."""
    runs_each = (
        select(func.count(Run.id).label("runs"))
        .select_from(Schedule)
        .outerjoin(Run, Run.pipeline_id == Schedule.pipeline_id)
        .group_by(Schedule.id)
        .subquery()
    )
    runs = runs_each.c.runs
    query = select(
        func.count().filter(runs == 0), func.coalesce(func.sum(runs - 1).filter(runs > 1), 0)
    )
    async with get_session() as session:
        missed, double = (await session.execute(query.select_from(runs_each))).one()
    return missed, int(double)


def _ticks(poller: Host) -> bool:
    """It has opened what it needs: its home holds Dagster's settings, and somebody beats."""
    return (poller.home / "dagster" / "dagster.yaml").exists() and bool(
        heartbeats.last("scheduler")
    )


def _drain(pollers: list[Host]) -> tuple[float, int]:
    chance, kills = random.Random(1), 0
    run(make_due())
    began = time.monotonic()
    while waiting := run(due()):
        if kills < 2 and chance.random() < 0.5:
            pollers.pop().signal(signal.SIGKILL)
            kills += 1
        if time.monotonic() - began > 120:
            raise SystemExit(f"{waiting} schedules never fired")
        time.sleep(0.1)
    return time.monotonic() - began, kills


if __name__ == "__main__":
    main()
