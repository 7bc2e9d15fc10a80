"""Tenants that benchmarks make and run, on whatever install the settings name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import dagster as dg
import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import func, select

from etlfabric_dagster.aio import run
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run
from etlfabric_dagster.services import connections, orgs, pipelines, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope

PIPELINE = "shop"
LOOK_S, MOST_LOOK_S = 0.02, 1.0  # moments are the rows' own: looking only costs
TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS {name} (id bigint PRIMARY KEY, name text, updated_at timestamptz);
CREATE INDEX IF NOT EXISTS {name}_updated ON {name} (updated_at);
INSERT INTO {name} SELECT n, 'n' || n, now() - make_interval(secs => n)
    FROM generate_series(1, {rows}) n ON CONFLICT DO NOTHING;
"""

CHANGE: LiteralString = "UPDATE {name} SET name = name || '.', updated_at = clock_timestamp()"


@dataclass(frozen=True)
class Source:
    """A database to load from."""

    dsn: str

    def fill(self, tables: Sequence[str], rows: int) -> None:
        """Tables with a key and a cursor. Idempotent."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for name in tables:
                conn.execute(TABLE.format(name=name, rows=rows).encode())

    def change(self, tables: Sequence[str]) -> None:
        """Every row of them is new to a cursor."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for name in tables:
                conn.execute(CHANGE.format(name=name).encode())

    @property
    def config(self) -> dict[str, Any]:
        """As a connection's config."""
        facts = conninfo_to_dict(self.dsn)
        return {
            "dialect": "postgresql",
            "host": facts["host"],
            "port": int(facts["port"] or 5432),
            "database": facts.get("dbname") or "postgres",
            "username": facts["user"],
            "tls": "prefer",
        }

    @property
    def secrets(self) -> dict[str, str]:
        """As a connection's secrets."""
        return {"password": str(conninfo_to_dict(self.dsn).get("password") or "")}


def register(
    slug: str,
    source: Source,
    tables: Sequence[str],
    models: str | None = None,
    pipelines: Sequence[str] = (PIPELINE,),
) -> None:
    """An org whose pipelines load these tables by cursor. Blocking."""
    run(_register(slug, source, tables, models, pipelines))


async def _register(
    slug: str, source: Source, tables: Sequence[str], models: str | None, names: Sequence[str]
) -> None:
    await orgs.create(OPERATOR, slug, slug.title())
    async with org_scope(OPERATOR, slug) as scope:
        await connections.create(scope, PIPELINE, "sql_database", source.config, source.secrets)
    plan = {"mode": "incremental", "cursor": "updated_at", "primary_key": ["id"]}
    for name in names:
        await pipelines.create(
            OPERATOR,
            slug,
            name,
            connection=PIPELINE,
            streams=dict.fromkeys(tables, plan),
            models=models,
            table_prefix=f"{name}__",
        )


@dataclass(frozen=True)
class Ended:
    """A run that has ended; moments as seconds since 1970."""

    id: UUID
    status: str
    triggered: float
    claimed: float
    finished: float
    streams: frozenset[str]
    """The statuses of its streams."""

    @property
    def seconds(self) -> float:
        """From the trigger to the verdict."""
        return self.finished - self.triggered

    @property
    def waited(self) -> float:
        """From the trigger to a worker's claim."""
        return self.claimed - self.triggered


def trigger(slug: str, pipeline: str = PIPELINE) -> tuple[UUID, float]:
    """Start the org's pipeline as every caller does. Returns the run and when it was asked for."""
    return run(_trigger(slug, pipeline))


def trigger_all(wanted: Sequence[tuple[str, str]]) -> list[tuple[UUID, float]]:
    """The same for many (org, pipeline), as fast as the platform takes them."""

    async def start() -> list[tuple[UUID, float]]:
        room = asyncio.Semaphore(8)

        async def one(slug: str, pipeline: str) -> tuple[UUID, float]:
            async with room:
                return await _trigger(slug, pipeline)

        return await asyncio.gather(*(one(*pair) for pair in wanted))

    return run(start())


async def _trigger(slug: str, pipeline: str) -> tuple[UUID, float]:
    moment = time.time()
    async with org_scope(OPERATOR, slug) as scope:
        return (await runs.start(scope, pipeline)).id, moment


def wait(triggered: Iterable[tuple[UUID, float]], timeout_s: float = 600) -> list[Ended]:
    """Until all have ended. Blocking. Raises TimeoutError."""
    moments = dict(triggered)
    pause_s = min(MOST_LOOK_S, LOOK_S * len(moments))
    deadline = time.monotonic() + timeout_s
    while waiting := run(_open(list(moments))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{waiting} of {len(moments)} runs have not ended.")
        time.sleep(pause_s)
    return run(_ended(moments))


async def _open(ids: Sequence[UUID]) -> int:
    query = select(func.count()).where(Run.id.in_(ids), Run.finished_at.is_(None))
    async with get_session() as session:
        return await session.scalar(query) or 0


async def _ended(moments: dict[UUID, float]) -> list[Ended]:
    query = select(Run).where(Run.id.in_(moments), Run.finished_at.is_not(None))
    async with get_session() as session:
        rows = list(await session.scalars(query))
    return [
        Ended(
            id=row.id,
            status=row.status,
            triggered=moments[row.id],
            claimed=_seconds(row.started_at or row.finished_at),
            finished=_seconds(row.finished_at),
            streams=frozenset(stream["status"] for stream in row.streams.values()),
        )
        for row in rows
    ]


def run_once(slug: str) -> Ended:
    """Trigger and wait. Blocking. Raises SystemExit when the run does not succeed."""
    (ended,) = wait([trigger(slug)])
    if ended.status != "succeeded":
        raise SystemExit(f"Run {ended.id} of {slug} {ended.status}.")
    return ended


def first_step(instance: dg.DagsterInstance, ended: Ended) -> float:
    """Seconds from the trigger to the first Dagster step's start."""
    logs = instance.all_logs(str(ended.id), of_type=dg.DagsterEventType.STEP_START)
    return min(entry.timestamp for entry in logs) - ended.triggered


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
