"""`--kills N` (200) kill -9 of busy workers during real merges, while Redis is wiped, PostgreSQL
crashes and a host freezes for three leases. Then every row and every record is compared.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID

import psutil
import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from benchmarks.hosts import Host, beside, host, wait_until, workers_answer
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.models import Run, RunAttempt
from etlfabric_dagster.orchestration.agreement import VERDICTS
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import (
    agreement,
    connections,
    orgs,
    pipelines,
    runs,
    tenants,
)
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.testing import postgres_cluster

ORGS, ROWS, LEASE_S = 6, 20_000, 3.0
CRASH_SAFE = (("fsync", "off"), ("full_page_writes", "off"), ("max_connections", "200"))
DATABASE_AWAY = (DBAPIError, OSError, psycopg.OperationalError)
SOURCE = """
CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric(12,2) NOT NULL, note text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON orders (updated_at);
INSERT INTO orders SELECT n, n * 1.25, 'note ' || n FROM generate_series(1, {rows}) n;
"""
CHANGE = """
UPDATE orders SET amount = amount + 1, updated_at = clock_timestamp() WHERE id %% 7 = %(turn)s;
INSERT INTO orders SELECT max(id) + n, n, 'new' FROM orders, generate_series(1, 200) n GROUP BY n
"""
SUM = "SELECT count(*), count(DISTINCT id), coalesce(sum(amount), 0), coalesce(sum(id), 0) FROM {}"


@dataclass
class Chaos:
    """The install under attack, and what was done to it."""

    cluster: PostgresCluster
    sources: dict[str, str]
    hosts: list[Host]
    clock: Host
    kills: int = 0
    wipes: int = 0
    crashes: int = 0
    freezes: int = 0
    killed_at: dict[UUID, tuple[int, float]] = field(default_factory=dict)
    recovered_s: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    chance: random.Random = field(default_factory=lambda: random.Random(7))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    kills = parser.parse_args().kills
    with throw_away_install() as home, postgres_cluster(home / "source") as source:
        cluster = PostgresCluster(
            home / "pg", settings.database.port or 0, "unused: only started and stopped", CRASH_SAFE
        )
        _restart(cluster)
        with ExitStack() as stack:
            chaos = _start(stack, cluster, source)
            began = time.monotonic()
            _attack(chaos, kills)
            _settle(chaos)
            finish("chaos", _judge(chaos, time.monotonic() - began))


def _start(stack: ExitStack, cluster: PostgresCluster, source: PostgresCluster) -> Chaos:
    extra = {
        "ETLFABRIC_LEASE_S": str(LEASE_S),
        "ETLFABRIC_MAX_ATTEMPTS": "50",  # a run may be killed again and again, and must not be lost
    }
    settings.max_attempts = 50
    hosts = [stack.enter_context(host("worker", "--slots", "2", **extra)) for _ in range(2)]
    people = beside(hosts[0], "worker", "--queue", "interactive", "--slots", "1")
    stack.callback(people.kill)
    clock = stack.enter_context(host("scheduler", **extra))
    wait_until(lambda: workers_answer(2), "the workers")  # two of the three share a name
    sources = {f"chaos_{n}": _source(source, f"chaos_{n}") for n in range(ORGS)}
    for slug, dsn in sources.items():
        run(_configure(slug, dsn))
    people.kill()
    return Chaos(cluster, sources, hosts, clock)


def _source(cluster: PostgresCluster, name: str) -> str:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute(SOURCE.format(rows=ROWS).encode())
    return cluster.dsn(name)


async def _configure(slug: str, dsn: str) -> None:
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
        await connections.create(scope, "shop", "sql_database", config, secrets)
    stream = {"mode": "merge", "cursor": "updated_at", "primary_key": ["id"], "selected": True}
    await pipelines.create(OPERATOR, slug, "shop", connection="shop", streams={"orders": stream})


def _attack(chaos: Chaos, kills: int) -> None:
    """Kill busy workers until it is enough; the other misfortunes are spread between."""
    feeder = threading.Thread(target=_feed, args=(chaos,), daemon=True)
    feeder.start()
    wipes, crashes = max(2, kills // 20), max(1, kills // 40)
    while chaos.kills < kills:
        _kill_one(chaos)
        _note_recoveries(chaos)
        share = chaos.kills / kills
        if chaos.wipes < wipes * share:
            with redis.Redis.from_url(settings.redis) as broker:
                broker.flushall()
            chaos.wipes += 1
        if chaos.crashes < crashes * share - 0.5:
            _restart(chaos.cluster)
            chaos.crashes += 1
        if not chaos.freezes and share >= 0.5:
            _freeze(chaos)
    chaos.ended.set()
    feeder.join()


def _feed(chaos: Chaos) -> None:
    """Change the sources and keep every pipeline busy."""
    turn = 0
    while not chaos.ended.is_set():
        turn += 1
        for slug, dsn in chaos.sources.items():
            try:
                with psycopg.connect(dsn) as conn:
                    for statement in CHANGE.split(";"):
                        conn.execute(statement.encode(), {"turn": turn % 7})
                if run(_open_runs(slug)) < 2:
                    run(_start_run(slug))
            except (*DATABASE_AWAY, FabricError):
                continue  # it is being restarted
        chaos.ended.wait(0.5)


async def _start_run(slug: str) -> UUID:
    async with org_scope(OPERATOR, slug) as scope:
        return (await runs.start(scope, "shop")).id


async def _open_runs(slug: str) -> int:
    async with org_scope(OPERATOR, slug) as scope:
        return await runs.count_open(scope.org_id)


async def _busy() -> list[RunAttempt]:
    query = select(RunAttempt).join(Run).where(RunAttempt.status == "running")
    async with get_session() as session:
        return list(await session.scalars(query.where(Run.status == "running")))


def _kill_one(chaos: Chaos) -> None:
    """One busy child, or now and then its whole host, at a random moment of its run."""
    time.sleep(chaos.chance.uniform(0.2, 2.0))
    for one in chaos.hosts:
        one.revive()
    chaos.clock.revive()
    try:
        busy = [a for a in run(_busy()) if a.run_id not in chaos.killed_at]
    except DATABASE_AWAY:
        return
    if not busy:
        return
    attempt = chaos.chance.choice(busy)
    pid = int(attempt.worker.rpartition(":")[2])
    holder = next((one for one in chaos.hosts if one.has(pid)), None)
    if holder is None:
        return
    met = [a for a in busy if holder.has(int(a.worker.rpartition(":")[2]))]
    whole = chaos.chance.random() < 0.1
    if whole:
        holder.kill()
    else:
        psutil.Process(pid).kill()
    for one in met if whole else [attempt]:
        chaos.killed_at[one.run_id] = (one.number, time.monotonic())
    chaos.kills += 1
    print(f"kill {chaos.kills}: attempt {attempt.number}", file=sys.stderr, flush=True)


def _note_recoveries(chaos: Chaos) -> None:
    """How long after its kill each attempt's record said so."""
    try:
        ended = run(_ended(list(chaos.killed_at)))
    except DATABASE_AWAY:
        return
    for run_id, (number, at) in list(chaos.killed_at.items()):
        if (run_id, number) in ended:
            chaos.recovered_s.append(time.monotonic() - at)
            del chaos.killed_at[run_id]


async def _ended(run_ids: list[UUID]) -> set[tuple[UUID, int]]:
    query = select(RunAttempt.run_id, RunAttempt.number).where(
        RunAttempt.run_id.in_(run_ids), RunAttempt.status != "running"
    )
    async with get_session() as session:
        return {(run_id, number) for run_id, number in await session.execute(query)}


def _freeze(chaos: Chaos) -> None:
    """SIGSTOP of a whole host for three leases, while it works."""
    frozen = chaos.chance.choice(chaos.hosts)
    frozen.signal(signal.SIGSTOP)
    time.sleep(3 * LEASE_S)
    frozen.signal(signal.SIGCONT)
    chaos.freezes += 1


def _restart(cluster: PostgresCluster) -> None:
    """A crash: no checkpoint, every connection cut."""
    cluster.stop("immediate")
    cluster.start()


def _settle(chaos: Chaos) -> None:
    """Let all of it end, then load every pipeline once more in peace."""
    for one in (*chaos.hosts, chaos.clock):
        one.revive()

    def quiet() -> bool:
        _note_recoveries(chaos)
        return not any(run(_open_runs(slug)) for slug in chaos.sources)

    wait_until(quiet, "the end of all runs")
    for slug in chaos.sources:
        run(_start_run(slug))
    wait_until(quiet, "the last loads")
    wait_until(lambda: _disagreeing() == 0, "agreement with Dagster", patience_s=60)


def _judge(chaos: Chaos, seconds: float) -> dict[str, Figure]:
    counts = [_compare(slug, dsn) for slug, dsn in chaos.sources.items()]
    statuses, overlapping, messages = run(_history())
    for message in sorted(messages):
        print(f"failed: {message}")
    recovered = chaos.recovered_s or [0.0]
    return {
        "kills": Figure(chaos.kills),
        "redis_wipes": Figure(chaos.wipes),
        "postgres_crashes": Figure(chaos.crashes),
        "freezes": Figure(chaos.freezes),
        "runs": Figure(sum(statuses.values())),
        "runs_failed_with_their_cause": Figure(statuses.get("failed", 0)),
        "lost_runs": Figure(statuses.get("queued", 0) + statuses.get("running", 0), 0),
        "duplicate_rows": Figure(sum(duplicates for duplicates, _ in counts), 0),
        "pipelines_unlike_their_source": Figure(sum(unlike for _, unlike in counts), 0),
        "concurrent_runs": Figure(overlapping, 0),
        "records_unlike_dagsters": Figure(_disagreeing(), 0),
        "truthful_after_p50_s": Figure(percentile(recovered, 0.5)),
        "truthful_after_max_s": Figure(max(recovered), LEASE_S + 10),
        "seconds": Figure(seconds),
    }


def _compare(slug: str, dsn: str) -> tuple[int, bool]:
    """(duplicate rows, whether anything differs from the source)."""
    with psycopg.connect(dsn) as conn:
        source = conn.execute(SUM.format("orders").encode()).fetchone()
    login = run(_reader(slug))
    facts = {"host": login.host, "port": login.port, "dbname": login.database}
    with psycopg.connect(user=login.username, password=login.password, **facts) as conn:  # pyright: ignore[reportArgumentType]
        table = f'"{login.raw}".shop__orders'
        loaded = conn.execute(SUM.format(table).encode()).fetchone()
    assert source
    assert loaded
    return loaded[0] - loaded[1], source != loaded


async def _reader(slug: str):
    async with org_scope(OPERATOR, slug) as scope:
        org_id = scope.org_id
    return await tenants.reader_warehouse(org_id)


async def _history() -> tuple[dict[str, int], int, set[str]]:
    """(runs by status, attempts of a pipeline that overlapped, why runs failed)."""
    async with get_session() as session:
        all_runs = list(await session.scalars(select(Run)))
        attempts = list(
            await session.execute(
                select(Run.pipeline_id, RunAttempt.started_at, RunAttempt.finished_at)
                .join(Run)
                .order_by(Run.pipeline_id, RunAttempt.started_at)
            )
        )
    overlapping = sum(
        after.pipeline_id == before.pipeline_id
        and (before.finished_at is None or after.started_at < before.finished_at)
        for before, after in zip(attempts, attempts[1:], strict=False)
    )
    statuses = [one.status for one in all_runs]
    messages = {one.error["message"][:160] for one in all_runs if one.error}
    return {one: statuses.count(one) for one in set(statuses)}, overlapping, messages


def _disagreeing() -> int:
    """Attempts that Dagster tells of otherwise."""
    wanted = run(agreement.ended_within(24 * 3600))
    with open_instance(settings) as instance:
        records = {one.run_id: one.status for one in instance.get_runs()}
    return sum(
        records[str(run_id)] is not VERDICTS[RunStatus(end)][0]
        for run_id, end in wanted.items()
        if str(run_id) in records
    )


if __name__ == "__main__":
    main()
