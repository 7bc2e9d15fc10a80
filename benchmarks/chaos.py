"""`--kills N` (200) kill -9 of busy workers during real merges, while Redis is wiped, PostgreSQL
crashes and a host freezes for three leases. Then every row and every record is compared.

It comes in rounds of 40, each judged when all of it has settled. With `--into FILE` the rounds are
kept, and the command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

import psutil
import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict
from rich.progress import Progress
from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError

from benchmarks.clones import counted
from benchmarks.hosts import beside, host, wait_until, workers_answer
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.models import Org, Run, RunAttempt
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

ORGS, ROWS, LEASE_S, ROUND = 6, 20_000, 3.0, 40
KILLS_PER_WIPE, KILLS_PER_CRASH = 20, 40
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


class Victim(Protocol):
    """A host: one process and all that it started."""

    def has(self, pid: int) -> bool:
        """Whether the process is one of this host's."""
        ...

    def signal(self, number: int) -> None:
        """Send it to every process of the host."""
        ...

    def kill(self) -> None:
        """kill -9 of everything at once."""
        ...

    def revive(self) -> bool:
        """Start it again if it has ended; whether it had."""
        ...


@dataclass
class Chaos:
    """What is attacked: the workers' hosts, the scheduler's, and orgs by name with the databases
    that they load from.
    """

    sources: dict[str, str]
    hosts: Sequence[Victim]
    clock: Victim
    crash: Callable[[], None]
    """Cut every connection of the workers to PostgreSQL."""
    lease_s: float = LEASE_S
    whole_hosts: float = 0.1
    """Share of kills that take a whole host."""
    kills: int = 0
    wipes: int = 0
    crashes: int = 0
    freezes: int = 0
    killed_at: dict[UUID, tuple[int, float]] = field(default_factory=dict)
    recovered_s: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    chance: random.Random = field(default_factory=lambda: random.Random(7))


@dataclass(frozen=True)
class Round:
    """What was done, and what came of it."""

    kills: int
    wipes: int
    crashes: int
    freezes: int
    runs: int
    failed: int
    """With their cause."""
    lost: int
    duplicates: int
    unlike_source: int
    overlapping: int
    unlike_dagster: int
    recovered_s: list[float]
    seconds: float


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--into", type=Path, help="keep rounds here, and go on where they ended")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    done = _kept(given.into)
    left = given.kills - sum(one.kills for one in done)
    if left > 0:
        with throw_away_install() as home, postgres_cluster(home / "source") as source:
            cluster = PostgresCluster(
                home / "pg", settings.database.port or 0, "unused: only restarted", CRASH_SAFE
            )
            _restart(cluster)
            with ExitStack() as stack, Progress(console=err) as bar:
                start = _start(stack, cluster, source)
                with counted(bar, "kills", left) as tick:
                    while left > 0:
                        done.append(play(start(), min(ROUND, left), tick))
                        left -= done[-1].kills
                        _keep(given.into, done)
    finish("chaos", _figures(done))


def _kept(file: Path | None) -> list[Round]:
    if file is None or not file.exists():
        return []
    return [Round(**one) for one in json.loads(file.read_text())]


def _keep(file: Path | None, rounds: Sequence[Round]) -> None:
    if file is not None:
        file.write_text(json.dumps([asdict(one) for one in rounds]))


def play(chaos: Chaos, kills: int, tick: Callable[[], None] = lambda: None) -> Round:
    """One round: attack, let it settle, judge. Blocking; `tick` is called after each kill."""
    began = time.monotonic()
    _attack(chaos, kills, tick)
    _settle(chaos)
    return _judge(chaos, time.monotonic() - began)


def _start(
    stack: ExitStack, cluster: PostgresCluster, source: PostgresCluster
) -> Callable[[], Chaos]:
    """Bring hosts and orgs up; what is returned begins a round on them."""
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
    sources = {f"chaos_{n}": fill(source, f"chaos_{n}") for n in range(ORGS)}
    for slug, dsn in sources.items():
        run(configure(slug, dsn))
    people.kill()
    chance = random.Random(7)
    return lambda: Chaos(sources, hosts, clock, lambda: _restart(cluster), chance=chance)


def fill(cluster: PostgresCluster, name: str) -> str:
    """A database to load from; returns its DSN."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"')
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute(SOURCE.format(rows=ROWS).encode())
    return cluster.dsn(name)


async def configure(slug: str, dsn: str, models: str | None = None) -> None:
    """An org that merges the orders of that database."""
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
    await pipelines.create(
        OPERATOR, slug, "shop", connection="shop", streams={"orders": stream}, models=models
    )


def _attack(chaos: Chaos, kills: int, tick: Callable[[], None]) -> None:
    """Kill busy workers until it is enough; the other misfortunes are spread between."""
    feeder = threading.Thread(target=_feed, args=(chaos,), daemon=True)
    feeder.start()
    wipes, crashes = max(1, kills // KILLS_PER_WIPE), max(1, kills // KILLS_PER_CRASH)
    while chaos.kills < kills:
        if _kill_one(chaos):
            tick()
        _note_recoveries(chaos)
        share = chaos.kills / kills
        if chaos.wipes < wipes * share:
            with redis.Redis.from_url(settings.redis) as broker:
                broker.flushall()
            chaos.wipes += 1
        if chaos.crashes < crashes * share - 0.4:
            chaos.crash()
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


def _org_ids(slugs: Collection[str]) -> Select[tuple[UUID]]:
    return select(Org.id).where(Org.slug.in_(slugs))


async def _busy(slugs: Collection[str]) -> list[RunAttempt]:
    query = select(RunAttempt).join(Run).where(RunAttempt.status == "running")
    query = query.where(Run.status == "running", Run.org_id.in_(_org_ids(slugs)))
    async with get_session() as session:
        return list(await session.scalars(query))


def _kill_one(chaos: Chaos) -> bool:
    """One busy child, or now and then its whole host, at a random moment of its run; whether there
    was one.
    """
    time.sleep(chaos.chance.uniform(0.2, 2.0))
    for one in chaos.hosts:
        one.revive()
    chaos.clock.revive()
    try:
        busy = [a for a in run(_busy(chaos.sources)) if a.run_id not in chaos.killed_at]
    except DATABASE_AWAY:
        return False
    if not busy:
        return False
    attempt = chaos.chance.choice(busy)
    pid = int(attempt.worker.rpartition(":")[2])
    holder = next((one for one in chaos.hosts if one.has(pid)), None)
    if holder is None:
        return False
    met = [a for a in busy if holder.has(int(a.worker.rpartition(":")[2]))]
    whole = chaos.chance.random() < chaos.whole_hosts
    if whole:
        holder.kill()
    else:
        psutil.Process(pid).kill()
    for one in met if whole else [attempt]:
        chaos.killed_at[one.run_id] = (one.number, time.time())
    chaos.kills += 1
    return True


def _note_recoveries(chaos: Chaos) -> None:
    """How long after its kill each attempt's record said so."""
    try:
        ended = run(_ended(list(chaos.killed_at)))
    except DATABASE_AWAY:
        return
    for run_id, (number, at) in list(chaos.killed_at.items()):
        if (moment := ended.get((run_id, number))) is not None:
            chaos.recovered_s.append(max(0.0, moment - at))
            del chaos.killed_at[run_id]


async def _ended(run_ids: list[UUID]) -> dict[tuple[UUID, int], float]:
    """When attempts of these runs ended, by their rows; seconds since 1970."""
    query = select(RunAttempt.run_id, RunAttempt.number, RunAttempt.finished_at).where(
        RunAttempt.run_id.in_(run_ids), RunAttempt.finished_at.is_not(None)
    )
    async with get_session() as session:
        rows = await session.execute(query)
        return {(run_id, number): at.timestamp() for run_id, number, at in rows if at}


def _freeze(chaos: Chaos) -> None:
    """SIGSTOP of a whole host for three leases, while it works."""
    frozen = chaos.chance.choice(chaos.hosts)
    frozen.signal(signal.SIGSTOP)
    time.sleep(3 * chaos.lease_s)
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
    wait_until(lambda: _disagreeing(chaos.sources) == 0, "agreement with Dagster", patience_s=60)


def _judge(chaos: Chaos, seconds: float) -> Round:
    counts = [_compare(slug, dsn) for slug, dsn in chaos.sources.items()]
    statuses, overlapping, messages = run(_history(chaos.sources))
    for message in sorted(messages):
        err.print(f"failed: {message}")
    return Round(
        kills=chaos.kills,
        wipes=chaos.wipes,
        crashes=chaos.crashes,
        freezes=chaos.freezes,
        runs=sum(statuses.values()),
        failed=statuses.get("failed", 0),
        lost=statuses.get("queued", 0) + statuses.get("running", 0),
        duplicates=sum(duplicates for duplicates, _ in counts),
        unlike_source=sum(unlike for _, unlike in counts),
        overlapping=overlapping,
        unlike_dagster=_disagreeing(chaos.sources),
        recovered_s=chaos.recovered_s,
        seconds=seconds,
    )


def _figures(rounds: Sequence[Round]) -> dict[str, Figure]:
    """Of all rounds. Those of one install count its runs and records from the first on."""
    recovered = [one for each in rounds for one in each.recovered_s] or [0.0]
    return {
        "kills": Figure(sum(one.kills for one in rounds)),
        "redis_wipes": Figure(sum(one.wipes for one in rounds)),
        "postgres_crashes": Figure(sum(one.crashes for one in rounds)),
        "freezes": Figure(sum(one.freezes for one in rounds)),
        "runs": Figure(max(one.runs for one in rounds)),
        "runs_failed_with_their_cause": Figure(max(one.failed for one in rounds)),
        "lost_runs": Figure(max(one.lost for one in rounds), 0),
        "duplicate_rows": Figure(max(one.duplicates for one in rounds), 0),
        "pipelines_unlike_their_source": Figure(max(one.unlike_source for one in rounds), 0),
        "concurrent_runs": Figure(max(one.overlapping for one in rounds), 0),
        "records_unlike_dagsters": Figure(max(one.unlike_dagster for one in rounds), 0),
        "truthful_after_p50_s": Figure(percentile(recovered, 0.5)),
        "truthful_after_max_s": Figure(max(recovered), LEASE_S + 10),
        "seconds": Figure(sum(one.seconds for one in rounds)),
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


async def _history(slugs: Collection[str]) -> tuple[dict[str, int], int, set[str]]:
    """(runs by status, attempts of a pipeline that overlapped, why runs failed)."""
    theirs = Run.org_id.in_(_org_ids(slugs))
    async with get_session() as session:
        all_runs = list(await session.scalars(select(Run).where(theirs)))
        attempts = list(
            await session.execute(
                select(Run.pipeline_id, RunAttempt.started_at, RunAttempt.finished_at)
                .join(Run)
                .where(theirs)
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


async def _dagster_ids(slugs: Collection[str]) -> set[UUID]:
    query = select(RunAttempt.dagster_run_id).join(Run).where(Run.org_id.in_(_org_ids(slugs)))
    async with get_session() as session:
        return set(await session.scalars(query))


def _disagreeing(slugs: Collection[str]) -> int:
    """Attempts that Dagster tells of otherwise."""
    theirs = run(_dagster_ids(slugs))
    wanted = run(agreement.ended_within(24 * 3600))
    with open_instance(settings) as instance:
        records = {one.run_id: one.status for one in instance.get_runs()}
    return sum(
        records[str(run_id)] is not VERDICTS[RunStatus(end)][0]
        for run_id, end in wanted.items()
        if run_id in theirs and str(run_id) in records
    )


if __name__ == "__main__":
    main()
