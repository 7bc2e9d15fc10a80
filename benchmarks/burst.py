"""Many orgs at once: `--orgs N` (200) × one run of one table that has changed, on two slots.

What a run costs a slot, beyond the sandbox's bare load of the same change, is the overhead. First
loads come before, and are told apart: they also create tables and write staging models, once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from rich.progress import Progress, track
from sqlalchemy import select

from benchmarks.clones import Template, counted
from benchmarks.report import Figure, finish
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import PIPELINE, Ended, Source, register, trigger_all, wait
from etlfabric_dagster.aio import run
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Pipeline
from etlfabric_dagster.schemas.jobs import EgressPolicy, ExtractJob, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from etlfabric_dagster.services import sandbox, tenants
from etlfabric_dagster.services.scope import OPERATOR, org_scope

TARGET_S = 0.15
SLOTS = 2
ROWS = 100
TEMPLATE, TABLE = "burst", "events"
BARE_LOADS = 40


@dataclass(frozen=True)
class Burst:
    """All runs of the burst, and how long it lasted."""

    first: list[Ended]
    first_s: float
    """How long the first loads took together."""
    runs: list[Ended]
    seconds: float
    bare_s: float
    """Of the sandbox's load alone, as many at once as there are slots, in a slot's time too; half
    of them before the burst and half after it, as a machine is not always equally fast.
    """

    @property
    def overhead_s(self) -> float:
        """Of one run, in a slot's time."""
        return self.seconds * SLOTS / len(self.runs) - self.bare_s


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orgs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    count = parser.parse_args().orgs
    with throw_away_stack(workers=SLOTS) as source:
        burst = measure(source, count)
    done = sum(ended.status == "succeeded" for ended in burst.first + burst.runs)
    finish(
        "burst",
        {
            "succeeded": Figure(done, 2 * count, higher_is_better=True),
            "first_loads_s": Figure(burst.first_s),
            "seconds": Figure(burst.seconds),
            "bare_load_s": Figure(burst.bare_s),
            "overhead_per_run_s": Figure(burst.overhead_s, TARGET_S),
        },
    )


def measure(source: Source, count: int, bare_loads: int = BARE_LOADS) -> Burst:
    """Create `count` orgs, load each once, then run all of them at once. Blocking."""
    source.fill([TABLE], ROWS)
    register(TEMPLATE, source, [TABLE], models="path:none")
    template = Template.read(TEMPLATE, source)
    slugs = [f"{TEMPLATE}_{number}" for number in range(count)]
    with Progress(console=err) as bar, counted(bar, "orgs", count) as done:
        template.copy(slugs, done)
    first, first_s = _run_all(slugs)
    err.print(f"first loads: {first_s:.1f} s")
    before_s = _bare_load(source, bare_loads)
    source.change([TABLE])
    runs, seconds = _run_all(slugs)
    after_s = _bare_load(source, bare_loads)
    return Burst(first, first_s, runs, seconds, (before_s + after_s) / 2)


def _run_all(slugs: Sequence[str]) -> tuple[list[Ended], float]:
    began = time.time()
    triggered = trigger_all([(slug, PIPELINE) for slug in slugs])
    runs = wait(triggered, timeout_s=60 + 10 * len(slugs))
    return runs, max(ended.finished for ended in runs) - began


def _bare_load(source: Source, count: int) -> float:
    """Of a change, after a first load, into tables of its own; as many at once as in the burst."""
    job = run(_job(source))
    with ThreadPoolExecutor(SLOTS) as pool:
        loaded = list(pool.map(_load, [_bare(job, number) for number in range(count)]))
        source.change([TABLE])
        jobs = [one.model_copy(update={"state": state}) for one, state in loaded]
        began = time.perf_counter()
        list(track(pool.map(_load, jobs), "bare", count, console=err))
        return (time.perf_counter() - began) * SLOTS / count


def _bare(job: ExtractJob, number: int) -> ExtractJob:
    stream = StreamPlan(
        name=TABLE,
        table=f"bare_{number}",
        mode=LoadMode.INCREMENTAL,
        cursor="updated_at",
        primary_key=("id",),
    )
    return job.model_copy(update={"pipeline": f"p_bare_{number}", "streams": (stream,)})


def _load(job: ExtractJob) -> tuple[ExtractJob, str]:
    """The job, and dlt's state after it."""
    return job, sandbox.client().run(job).payload["state"]


async def _job(source: Source) -> ExtractJob:
    async with org_scope(OPERATOR, TEMPLATE) as scope:
        org_id, pipeline = scope.org_id, await scope.session.scalar(select(Pipeline.id))
    assert pipeline is not None
    password = await _password(org_id, pipeline)
    return ExtractJob(
        pipeline="p_bare",
        source=SourceConfig(
            connector="sql_database",
            config=source.config,
            secrets=source.secrets,
            egress=EgressPolicy(allow=("127.0.0.0/8",)),
        ),
        warehouse=tenants.warehouse(org_id, tenants.pipeline_login(org_id, pipeline), password),
        streams=(),
    )


async def _password(org_id: UUID, pipeline: UUID) -> str:
    async with get_session() as session:
        return await tenants.rotate_pipeline_login(session, org_id, pipeline)


if __name__ == "__main__":
    main()
