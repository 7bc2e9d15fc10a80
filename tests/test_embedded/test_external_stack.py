"""The whole stack on servers that an operator runs: Debian's PostgreSQL, and a Valkey.

One start of a stack, and one run on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from etlfabric_dagster.embedded.external import OLDEST
from etlfabric_dagster.testing import ValkeyServer
from tests.folders import throwaway
from tests.stacks import Stack, new_stack, still_running
from tests.test_connectors.servers import debian_postgres

WORK = """
import io, json
from etlfabric_dagster import Fabric

with Fabric.connect() as fabric:
    mill = fabric.orgs.create("paper_mill", name="Paper Mill")
    mill.uploads.put(io.BytesIO(b"id,price\\n1,2.50\\n2,\\n"), "prices.csv")
    prices = {"name": "prices", "glob": "*.csv", "format": "csv"}
    config = {"bucket_url": "uploads://", "streams": [prices]}
    mill.register_source("files", connector="filesystem", config=config)
    run = mill.runs.start("files").wait(timeout_s=120)
    rows = mill.query("select id, price::text, inet_client_addr() is null from stg_prices").rows
    print(json.dumps([run.status.value, run.rows_loaded, rows]))
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[tuple[int, Path]]:
    with debian_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def stack(postgres: tuple[int, Path], valkey: ValkeyServer) -> Iterator[Stack]:
    """A home whose settings name both servers; the platform's role does not exist yet."""
    port, socket = postgres
    address = f"127.0.0.1:{port}"
    with throwaway("external") as folder:
        made = new_stack(folder / "home")
        made.environment.update(
            ETLFABRIC_DATABASE_URL=f"postgresql://fabric:its-password@{address}/fabric",
            ETLFABRIC_SUPERUSER_URL=f"postgresql://reader:pw@{address}/postgres",
            ETLFABRIC_DATABASE_SOCKET=str(socket),
            ETLFABRIC_REDIS_URL=f"{valkey.url.removesuffix('/0')}/7",
        )
        yield made
        made.run("down")


def test_stack_runs_on_external_servers_and_leaves_them_running(
    stack: Stack, postgres: tuple[int, Path]
) -> None:
    stack.up("--no-demo")
    found = stack.status()
    assert [one for one in found["processes"] if not one["healthy"]] == []
    names = {one["name"] for one in found["processes"]}
    assert {"worker", "interactive", "scheduler", "dagster"} <= names
    assert names & {"postgres", "valkey", "source-postgres"} == set()
    assert found["controls"]["sandbox_without_network"] == "on"
    assert found["controls"]["functions_closed_to_public"] == "on"
    assert found["controls"]["passwords_demanded"].startswith("off: pg_hba.conf of an external")

    assert json.loads(stack.python(WORK)) == ["succeeded", 2, [[1, "2.50", True], [2, None, True]]]

    running = stack.alive()
    assert stack.run("down").returncode == 0
    assert still_running(running) == []
    with psycopg.connect(
        f"host=127.0.0.1 port={postgres[0]} user=reader password=pw dbname=postgres"
    ) as conn:
        assert conn.info.server_version // 10_000 >= OLDEST
