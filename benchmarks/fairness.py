"""One org queues `--queue N` (1,000) runs; another triggers one every `--every S` (5) seconds.

How long the other waits for its run, from the trigger to the verdict, with and without the queue.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from rich.progress import track

from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import (
    Ended,
    Source,
    register,
    run_once,
    trigger_all,
)
from etlfabric_dagster.aio import run
from etlfabric_dagster.services import fleet, orgs
from etlfabric_dagster.services.scope import OPERATOR

TARGET_RATIO = 2.0
BUSY, OTHER, TABLE = "busy", "other", "events"
PIPELINES = tuple(f"shop_{number}" for number in range(4))
"""Of the busy org: more than it may run at once."""
WARM_RUNS, ALONE_RUNS, MOST_SAMPLES = 4, 20, 40


@dataclass(frozen=True)
class Shares:
    """The other org's runs, and how many of the busy org were still queued after each."""

    alone: list[Ended]
    beside: list[Ended]
    queued: list[int]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--queue", type=int, default=1000)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with throw_away_stack() as source:
        shares = measure(source, given.queue, given.every)
    alone = percentile([ended.seconds for ended in shares.alone], 0.95)
    beside = percentile([ended.seconds for ended in shares.beside], 0.95)
    finish(
        "fairness",
        {
            "alone_p95_s": Figure(alone),
            "beside_p95_s": Figure(beside),
            "ratio": Figure(beside / alone, TARGET_RATIO),
            "samples": Figure(len(shares.beside)),
            "claimed_beside_p95_s": Figure(percentile([e.waited for e in shares.beside], 0.95)),
        },
    )


def measure(
    source: Source, queue: int, every_s: float, alone: int = ALONE_RUNS, warm: int = WARM_RUNS
) -> Shares:
    """Both orgs load one table each. Stops when the queue is empty. Blocking."""
    source.fill([TABLE], rows=10)
    register(BUSY, source, [TABLE], models="path:none", pipelines=PIPELINES)
    register(OTHER, source, [TABLE], models="path:none")
    for _ in range(warm):
        run_once(OTHER)
    undisturbed = [run_once(OTHER) for _ in track(range(alone), "alone", console=err)]
    trigger_all([(BUSY, PIPELINES[number % len(PIPELINES)]) for number in range(queue)])
    beside, queued = _beside(every_s)
    run(orgs.suspend(OPERATOR, BUSY))  # cancels what is left
    return Shares(undisturbed, beside, queued)


def _beside(every_s: float) -> tuple[list[Ended], list[int]]:
    ended: list[Ended] = []
    queued: list[int] = []
    while len(ended) < MOST_SAMPLES and (waiting := _waiting()):
        began = time.monotonic()
        ended.append(run_once(OTHER))
        queued.append(waiting)
        err.print(f"{waiting} of {BUSY} wait; {OTHER} took {ended[-1].seconds:.3f} s")
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))
    return ended, queued


def _waiting() -> int:
    found = run(fleet.status(OPERATOR))
    return next(org.queued for org in found.items if org.slug == BUSY)


if __name__ == "__main__":
    main()
