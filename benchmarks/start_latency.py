"""How soon a run starts and ends: `--runs N` (50) of one trivial stream, one at a time.

From the trigger, which is a service call in another process, to the start of the first Dagster
step and to the verdict in the platform's row.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import dagster as dg
from rich.progress import track

from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import Ended, Source, first_step, register, run_once
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration.instance import open_instance

STEP_P50_S, STEP_P95_S, SUCCESS_P50_S = 0.08, 0.25, 0.15
SLUG = "latency"
WARM_RUNS = 6
"""The first loads the rows; more let every worker child have run once."""


@dataclass(frozen=True)
class Measured:
    """Runs in order, and when their first steps began."""

    runs: list[Ended]
    first_steps: list[float]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    count = parser.parse_args().runs
    with throw_away_stack() as source, open_instance(settings) as instance:
        measured = measure(instance, source, count)
    seconds = [ended.seconds for ended in measured.runs]
    finish(
        "start_latency",
        {
            "first_step_p50_s": Figure(percentile(measured.first_steps, 0.5), STEP_P50_S),
            "first_step_p95_s": Figure(percentile(measured.first_steps, 0.95), STEP_P95_S),
            "success_p50_s": Figure(percentile(seconds, 0.5), SUCCESS_P50_S),
            "success_p95_s": Figure(percentile(seconds, 0.95)),
            "claimed_p50_s": Figure(percentile([ended.waited for ended in measured.runs], 0.5)),
        },
    )


def measure(
    instance: dg.DagsterInstance, source: Source, count: int, warm: int = WARM_RUNS
) -> Measured:
    """Run one trivial stream `count` times. Blocking."""
    source.fill(["events"], rows=10)
    register(SLUG, source, ["events"], models="path:none")
    for _ in range(warm):
        run_once(SLUG)
    runs = [run_once(SLUG) for _ in track(range(count), "runs", console=err)]
    return Measured(runs, [first_step(instance, ended) for ended in runs])


if __name__ == "__main__":
    main()
