"""A run of five tables in which nothing is new: `--runs N` (15), from the trigger to the verdict.

In the same run, on the same tables: dlt's own cold script, and Dagster with dagster-dlt as shipped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from rich.progress import track

from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import Ended, Source, register, run_once

TARGET_S = 0.3
SLUG = "noop"
TABLES = tuple(f"table_{number}" for number in range(5))
WARM_RUNS = 6
STOCK = Path(__file__).with_name("stock_dlt.py")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--peer-runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with throw_away_stack() as source:
        measured = measure(source, given.runs, given.rows)
        peers = measure_peers(source, given.peer_runs)
    ours = percentile([ended.seconds for ended in measured], 0.5)
    figures = {"success_p50_s": Figure(ours, TARGET_S)}
    for name, seconds in peers.items():
        figures |= {f"{name}_s": Figure(seconds), f"{name}_ratio": Figure(seconds / ours)}
    finish("noop_sync", figures)


def measure(source: Source, count: int, rows: int, warm: int = WARM_RUNS) -> list[Ended]:
    """Load the tables, then run `count` times without news. Blocking."""
    source.fill(TABLES, rows)
    register(SLUG, source, TABLES, models="path:none")
    for _ in range(warm):
        run_once(SLUG)
    return [run_once(SLUG) for _ in track(range(count), "runs", console=err)]


def measure_peers(source: Source, count: int) -> dict[str, float]:
    """Median seconds of a cold dlt script and of a Dagster job, both when nothing is new."""
    with psycopg.connect(source.dsn, autocommit=True) as conn:
        conn.execute("CREATE DATABASE peers")
    script, job = [sys.executable, str(STOCK)], [sys.executable, "-m", "dagster", "job", "execute"]
    commands = {"dlt": script, "dagster_dlt": [*job, "-f", str(STOCK), "-j", "sync"]}
    with tempfile.TemporaryDirectory(prefix="etlfabric_bench_") as home:
        environment = _environment(source, home)
        return {
            name: percentile([_seconds(command, environment) for _ in range(count + 1)][1:], 0.5)
            for name, command in track(commands.items(), "peers", console=err)
        }


def _environment(source: Source, home: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ETLFABRIC_")}
    facts = {"STOCK_SOURCE": source.dsn, "STOCK_TABLES": ",".join(TABLES), "HOME": home}
    return kept | facts | {"DAGSTER_HOME": home, "RUNTIME__DLTHUB_TELEMETRY": "false"}


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
