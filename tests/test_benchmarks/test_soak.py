"""The soak's judgement: what was late, failed or grew is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks import soak
from benchmarks.soak import Sample
from etlfabric_dagster import clock


def run_of(due: datetime, lag_s: float, status: str = "succeeded") -> dict[str, Any]:
    started = due + timedelta(seconds=lag_s)
    ended = started + timedelta(seconds=1)
    key = f"schedule:{due.isoformat()}"
    return {"fire_key": key, "started_at": started, "finished_at": ended, "status": status}


FLAT = [Sample(100, 8192, 0)] * 8


def test_a_steady_hour_meets_its_targets() -> None:
    figures = soak._figures(FLAT, [run_of(clock.now(), 1)] * 20)
    assert all(figure.met for figure in figures.values())
    assert figures["lag_p95_s"].value == 1


def test_late_and_failed_runs_and_growing_memory_miss_theirs() -> None:
    now = clock.now()
    history = [run_of(now, 40)] * 2 + [run_of(now, 1)] * 18 + [run_of(now, 1, "failed")]
    growing = [Sample(100 + 10 * n, 8192, 0) for n in range(8)]
    figures = soak._figures(growing, history)
    missed = {name for name, figure in figures.items() if not figure.met}
    assert missed == {"lag_p95_s", "runs_not_succeeded", "memory_growth"}


def test_what_was_due_and_never_started_is_counted() -> None:
    now, schedule = clock.now(), uuid4()
    due = set(soak._due({schedule: now}, 60, now + timedelta(seconds=150)))
    assert len(due) == 3
    history = [run_of(now + timedelta(minutes=n), 1) for n in range(3)]
    history = [one | {"fire_key": key} for one, key in zip(history, sorted(due), strict=True)]
    history[1] |= {"started_at": None, "finished_at": None, "status": "queued"}
    found = soak._figures(FLAT, history[:2], due)["due_but_never_started"]
    assert (found.value, found.met) == (2, False)
    assert soak._figures(FLAT, history[:1], {history[0]["fire_key"]})["due_but_never_started"].met
