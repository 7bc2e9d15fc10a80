"""Every list of the API at `--orgs` (1,000) and `--runs` (100,000): how long an answer takes."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks import seed
from benchmarks.fuzz import served
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster.aio import run
from etlfabric_dagster.api.app import create_app
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Membership
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import orgs, tokens, users
from etlfabric_dagster.services.scope import OPERATOR

TARGET_MS = 50.0
REQUESTS = 60
PREFIX = "/api/v1"
SLUG = "large"
LARGE = 200
"""Pipelines, connections, dbt models, members … of the org that is asked."""
SHARE = 0.2
"""Of all runs, how many are that org's."""
FILLED = {
    "name": "p000001",
    "path": "marts/m000001.sql",
    "connection": "c000001",
    "pipeline": "p000001",
}
"""What stands for required parameters."""
AT_A_GLANCE = ("get_overview", "get_usage", "get_fleet", "get_lineage")
NOT_LISTS = ("list_rows",)
"""Rows of a tenant's table: how long they take is the table's affair."""
NOT_SEEDED = {"list_uploads", "list_tables", "list_dbt_tests", "list_offered_streams"}
NOT_SEEDED |= {"list_pending_columns", "list_sessions"}
"""Lists of what is no row of ours."""


@dataclass(frozen=True)
class List:
    """A route that answers many."""

    name: str
    path: str
    params: dict[str, str]

    def url(self, slug: str) -> str:
        """Its path below /api/v1, asked about what `seed` made."""
        path = self.path.removeprefix(PREFIX).replace("{slug}", slug)
        for name, value in FILLED.items():
            path = path.replace(f"{{{name}}}", value)
        return str(httpx.URL(path, params=self.params))


def lists() -> list[List]:
    """All of them, from the API's own document, and what an org shows at a glance."""
    found: list[List] = []
    for path, operations in create_app().openapi()["paths"].items():
        route: dict[str, Any] = operations.get("get", {})
        name = route.get("operationId", "")
        if name not in AT_A_GLANCE and (not name.startswith("list_") or name in NOT_LISTS):
            continue
        needed = [
            one["name"]
            for one in route.get("parameters", ())
            if one["in"] == "query" and one.get("required")
        ]
        found.append(List(name, path, {one: FILLED[one] for one in needed}))
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orgs", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with throw_away_install(), served() as url:
        token = run(prepare(given.orgs, given.runs))
        headers = {"Authorization": f"Bearer {token}"}
        figures: dict[str, Figure] = {}
        with httpx.Client(base_url=f"{url}{PREFIX}", headers=headers, timeout=60) as client:
            for one in lists():
                took = measure(client, one, given.requests)
                figures[f"{one.name}_p50_ms"] = Figure(percentile(took, 0.5))
                figures[f"{one.name}_p95_ms"] = Figure(percentile(took, 0.95), TARGET_MS)
    figures["load_1min"] = Figure(os.getloadavg()[0])
    finish("api", figures)


async def prepare(org_count: int, run_count: int) -> str:
    """The rows. Returns the token of the large org's owner, who is an operator too."""
    org = await orgs.create(OPERATOR, SLUG, "Large")
    user = await users.create(OPERATOR, "owner@example.com", operator=True)
    async with get_session() as session:
        session.add(Membership(org_id=org.id, user_id=user.id, role=Role.OWNER))
    await seed.fill(org.id, 1, LARGE)
    own = int(run_count * SHARE)
    await seed.add_runs(org.id, 1, own)
    await seed.add_orgs(org_count - 1, (run_count - own) // (org_count - 1))
    await seed.settle()
    return (await tokens.issue_for(OPERATOR, user.email)).token


def measure(client: httpx.Client, one: List, count: int) -> list[float]:
    """Milliseconds per answer, one after the other, on a warm server."""
    url = one.url(SLUG)
    took: list[float] = []
    for number in range(count + 3):
        started = time.perf_counter()
        client.get(url).raise_for_status()
        if number >= 3:
            took.append((time.perf_counter() - started) * 1000)
    return took


if __name__ == "__main__":
    main()
