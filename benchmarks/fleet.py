"""`--orgs N` (1,000) tenants in one stack, each with a connection, 5 streams, 5 dbt models and a
schedule: what they cost while nothing runs, and how soon Dagster's webserver shows them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
from rich.progress import Progress

from benchmarks.clones import Template, counted
from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import PIPELINE, Source, register
from etlfabric_dagster.aio import run
from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.state import StackState
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.services import dbt_models, fleet, snapshots, tokens, users
from etlfabric_dagster.services.scope import OPERATOR

GIB = 2**30
PSS_GIB, CORES, READY_S, QUERY_S, VISIBLE_S = 8.0, 0.25, 10.0, 2.0, 2.0
TEMPLATE = "fleet"
TABLES = tuple(f"table_{number}" for number in range(5))
LOOK_S = 0.02
SETTLE_S = 15.0
PUBLISHED_AT_ONCE = 20  # before the list of what waits is read again
WORKSPACE = """{ workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus
  locationOrLoadError { __typename ... on RepositoryLocation { repositories { name
  pipelines { name } } } } } } } }"""
NAMES = """{ locationStatusesOrError { __typename
  ... on WorkspaceLocationStatusEntries { entries { name } } } }"""

Ask = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Shown:
    """What the webserver answers: locations without an error, seconds cold and warm, and how soon
    each new org was seen.
    """

    locations: int
    cold_s: float
    warm_s: float
    visible_s: list[float]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orgs", type=int, default=1000)
    parser.add_argument("--new", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with throw_away_stack() as source:
        began = time.monotonic()
        template = prepare(source, given.orgs)
        seeded_s = time.monotonic() - began
        ready_s, ask = _restarted_webserver()
        shown = look(ask, template, given.new)
        time.sleep(SETTLE_S)
        cores = _cores(given.idle)
        pss = _pss_bytes() / GIB
        health = run(fleet.status(OPERATOR))
    finish(
        "fleet",
        {
            "seeding_s": Figure(seeded_s),
            "orgs_active": Figure(health.totals.active, given.orgs, higher_is_better=True),
            "locations_shown": Figure(shown.locations, given.orgs, higher_is_better=True),
            "idle_pss_gib": Figure(pss, PSS_GIB),
            "idle_cores": Figure(cores, CORES),
            "webserver_ready_s": Figure(ready_s, READY_S),
            "workspace_query_cold_s": Figure(shown.cold_s),
            "workspace_query_warm_s": Figure(shown.warm_s, QUERY_S),
            "new_org_visible_p95_s": Figure(percentile(shown.visible_s, 0.95), VISIBLE_S),
        },
    )


def prepare(source: Source, count: int) -> Template:
    """Register the orgs, and wait until all are published. Blocking."""
    source.fill(TABLES, rows=10)
    register(TEMPLATE, source, TABLES)
    models = {
        f"models/marts/mart_{number}.sql": (
            f"select * from {{{{ ref('stg_{name}') }}}}".encode()  # of the generated staging
        )
        for number, name in enumerate(TABLES)
    }
    run(dbt_models.import_project(OPERATOR, TEMPLATE, models))
    template = Template.read(TEMPLATE, source)
    with Progress(console=err) as bar, counted(bar, "orgs", count - 1) as done:
        template.copy([f"{TEMPLATE}_{number:04}" for number in range(count - 1)], done)
    _help_publish()
    return template


def _help_publish() -> None:
    """From the end of the list, while the install's own worker publishes from its beginning."""
    waiting = run(snapshots.unpublished())
    with Progress(console=err) as bar:
        task = bar.add_task("published", total=len(waiting))
        while left := run(snapshots.unpublished()):
            bar.update(task, completed=len(waiting) - len(left))
            for one in left[-PUBLISHED_AT_ONCE:]:
                run(snapshots.publish(one, encode))


def look(ask: Ask, template: Template, new: int) -> Shown:
    """Ask for the whole workspace twice, then see each new org come. Blocking."""
    cold_s, _ = _timed(ask, WORKSPACE)
    warm_s, answer = _timed(ask, WORKSPACE)
    entries = answer["workspaceOrError"]["locationEntries"]
    good = [e for e in entries if _jobs(e) == [PIPELINE]]
    return Shown(len(good), cold_s, warm_s, [_seen(ask, template, n) for n in range(new)])


def _jobs(entry: dict[str, Any]) -> list[str]:
    found = entry["locationOrLoadError"] or {}
    names = [job["name"] for repo in found.get("repositories", ()) for job in repo["pipelines"]]
    return [name for name in names if not name.startswith("__")]


def _seen(ask: Ask, template: Template, number: int) -> float:
    slug = f"{TEMPLATE}_new_{number}"
    template.copy([slug])
    began = time.monotonic()
    while slug not in _names(ask(NAMES)):
        time.sleep(LOOK_S)
    return time.monotonic() - began


def _names(answer: dict[str, Any]) -> set[str]:
    return {entry["name"] for entry in answer["locationStatusesOrError"]["entries"]}


def _timed(ask: Ask, query: str) -> tuple[float, dict[str, Any]]:
    began = time.monotonic()
    answer = ask(query)
    return time.monotonic() - began, answer


def _restarted_webserver() -> tuple[float, Ask]:
    """Kill it: its supervisor starts another. Seconds from that one's start to its first answer."""
    state = Home(settings.home_dir).state
    old = _pid(state)
    run(users.create(OPERATOR, "bench@example.com", operator=True))
    token = run(tokens.issue_for(OPERATOR, "bench@example.com")).token
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{settings.dagster_port}",
        headers={"authorization": f"Bearer {token}"},
        timeout=300,
    )

    def ask(query: str) -> dict[str, Any]:
        return client.post("/graphql", json={"query": query}).raise_for_status().json()["data"]

    psutil.Process(old).kill()
    while True:
        try:
            ask(NAMES)
            break
        except httpx.HTTPError:
            time.sleep(LOOK_S)
    return time.time() - psutil.Process(_pid(state)).create_time(), ask


def _pid(state: Any) -> int:
    found = StackState.read(state)
    assert found is not None
    pid = found.processes["dagster"].pid
    assert pid is not None
    return pid


def _stack() -> list[psutil.Process]:
    found = StackState.read(Home(settings.home_dir).state)
    assert found is not None
    supervisor = psutil.Process(found.supervisor)
    return [supervisor, *supervisor.children(recursive=True)]


def _pss_bytes() -> int:
    """Memory of all processes, shared pages counted once."""
    return sum(getattr(process.memory_full_info(), "pss", 0) for process in _stack())


def _cores(seconds: float) -> float:
    """Processor time of all processes over a while, in cores."""
    before = {process: process.cpu_times() for process in _stack()}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    used = 0.0
    for process, then in before.items():
        if process.is_running():
            now = process.cpu_times()
            used += now.user + now.system - then.user - then.system
    err.print(f"load average {os.getloadavg()[0]:.1f}")
    return used / took


if __name__ == "__main__":
    main()
