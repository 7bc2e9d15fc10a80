"""Two worker hosts and a scheduler on shared servers, each a home of its own, as people start them.

Run logs are shared through S3.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import fsspec
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from etlfabric_dagster import storage
from etlfabric_dagster.config import Settings
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import RunOut
from etlfabric_dagster.services import connections, orgs, pipelines, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.folders import throwaway
from tests.processes import family, signal_all
from tests.s3 import S3Server, s3_server
from tests.test_tasks.test_worker import ended, query, reading, start, until

LEASE_S = 2
WORKER = ("worker", "--slots", "1")


@dataclass(frozen=True)
class Host:
    """A worker started with `etlfabric worker`, and all that it started."""

    home: Path
    process: subprocess.Popen[bytes]

    def tree(self) -> list[psutil.Process]:
        return family(self.process.pid)

    def executes(self, run: RunOut) -> bool:
        """Whether the last attempt is one of its children's."""
        return int(run.attempts[-1].worker.rpartition(":")[2]) in {p.pid for p in self.tree()}

    def signal(self, number: int) -> None:
        signal_all(self.tree(), number)

    @property
    def said(self) -> str:
        return (self.home / "log").read_text()


@contextmanager
def host(environment: dict[str, str], *command: str) -> Iterator[Host]:
    """`etlfabric COMMAND` in a home of its own."""
    with throwaway("host") as home:
        with (home / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name("etlfabric")), *command],
                env={**environment, "ETLFABRIC_HOME": str(home)},
                stdout=log,
                stderr=log,
                cwd=home,
            )
        started = Host(home, process)
        try:
            yield started
        finally:
            tree = started.tree() if process.poll() is None else []
            signal_all(tree, signal.SIGKILL)
            process.wait()
            psutil.wait_procs(tree, timeout=10)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def environment(migrated: Settings, s3: S3Server) -> Iterator[dict[str, str]]:
    """What an operator gives every host: the shared servers and the keys."""
    shared = {
        "AWS_ACCESS_KEY_ID": s3.key,
        "AWS_SECRET_ACCESS_KEY": s3.secret,
        "AWS_ENDPOINT_URL": s3.endpoint_url,
        "AWS_REGION": "us-east-1",
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ETLFABRIC_", "AWS_"))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared.items():
            patch.setenv(name, value)
        patch.setattr(migrated, "storage_url", f"s3://{s3.bucket}/shared")
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield (
            kept
            | shared
            | {
                "ETLFABRIC_DATABASE_URL": migrated.database.render_as_string(hide_password=False),
                "ETLFABRIC_REDIS_URL": migrated.redis,
                "ETLFABRIC_FERNET_KEYS": migrated.fernet_keys[0].get_secret_value(),
                "ETLFABRIC_JWT_KEYS": migrated.jwt_keys[0].get_secret_value(),
                "ETLFABRIC_EGRESS_ALLOW": "127.0.0.0/8",
                "ETLFABRIC_STORAGE_URL": f"s3://{s3.bucket}/shared",
                "ETLFABRIC_LEASE_S": str(LEASE_S),
                "ETLFABRIC_DRAIN_S": "0.5",
            }
        )
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture(scope="module")
def running(environment: dict[str, str]) -> Iterator[tuple[ExitStack, list[Host]]]:
    """Two workers of one slot each, and the clock."""
    with ExitStack() as stack:
        stack.enter_context(host(environment, "scheduler"))
        yield stack, [stack.enter_context(host(environment, *WORKER)) for _ in range(2)]


@pytest.fixture
def hosts(running: tuple[ExitStack, list[Host]], environment: dict[str, str]) -> list[Host]:
    """Both workers; one that a test stopped is started again."""
    stack, found = running
    for number, one in enumerate(found):
        if one.process.poll() is not None:
            found[number] = stack.enter_context(host(environment, *WORKER))
    return found


@pytest.fixture(scope="module")
async def shop(
    running: tuple[ExitStack, list[Host]], interactive_worker: None, source: str
) -> OrgOut:
    """An org that loads two tables, loaded once."""
    org = await orgs.create(OPERATOR, "hosts_shop", "Shop")
    facts = conninfo_to_dict(source)
    config = {
        "dialect": "postgresql",
        "host": facts["host"],
        "port": int(facts["port"]),
        "database": facts["dbname"],
        "username": facts["user"],
        "tls": "prefer",
    }
    async with org_scope(OPERATOR, org.slug) as scope:
        secrets = {"password": facts["password"]}
        await connections.create(scope, "shop", "sql_database", config, secrets)
    await pipelines.create(OPERATOR, org.slug, "shop", connection="shop")
    first = await ended(org, await start(org), running[1][0].home / "log")
    assert first.error is None
    return org


async def shown(org: OrgOut, run: RunOut) -> RunOut:
    async with org_scope(OPERATOR, org.slug) as scope:
        return await runs.get(scope, run.id)


async def attempt_is(org: OrgOut, run: RunOut, number: int, status: str, log: Path) -> RunOut:
    async def look() -> RunOut | None:
        found = await shown(org, run)
        reached = len(found.attempts) >= number and found.attempts[number - 1].status == status
        return found if reached else None

    return await until(look, f"attempt {number} {status}", log)


async def loaded_once(org: OrgOut) -> bool:
    ((rows, keys),) = await query(org, "select count(*), count(distinct id) from shop__orders")
    return rows == keys == 500


async def test_a_frozen_hosts_run_goes_on_elsewhere_and_its_last_word_is_dropped(
    shop: OrgOut, hosts: list[Host], source: str, migrated: Settings
) -> None:
    with psycopg.connect(source) as blocker:
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = await reading(shop, await start(shop), hosts[0].home / "log")
        frozen, other = sorted(hosts, key=lambda one: not one.executes(run))
        began = time.monotonic()
        frozen.signal(signal.SIGSTOP)
        await attempt_is(shop, run, 1, "lost", other.home / "log")
        assert time.monotonic() - began < LEASE_S + 10
    run = await attempt_is(shop, run, 2, "succeeded", other.home / "log")
    assert other.executes(run)
    assert await loaded_once(shop)

    async def three_leases() -> bool | None:
        return time.monotonic() - began > 3 * LEASE_S or None

    await until(three_leases, "the end of three leases", other.home / "log")
    frozen.signal(signal.SIGCONT)

    async def fenced() -> bool | None:
        return "attempt.fenced" in frozen.said or None

    await until(fenced, "the thawed worker's last word", frozen.home / "log")
    run = await shown(shop, run)
    assert run.error is None
    assert [a.status for a in run.attempts] == ["lost", "succeeded"]
    assert await loaded_once(shop)
    with open_instance(migrated) as dagster:
        records = [dagster.get_run_by_id(str(a.dagster_run_id)) for a in run.attempts]
    said = [record.status for record in records if record]
    assert said == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]


async def test_a_host_that_is_told_to_stop_hands_its_run_over_and_leaves_nothing(
    shop: OrgOut, hosts: list[Host], source: str
) -> None:
    with psycopg.connect(source) as blocker:
        blocker.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        run = await reading(shop, await start(shop), hosts[0].home / "log")
        stopped, other = sorted(hosts, key=lambda one: not one.executes(run))
        left = stopped.tree()
        stopped.process.send_signal(signal.SIGTERM)
        run = await attempt_is(shop, run, 1, "lost", stopped.home / "log")
        assert run.attempts[0].error
        assert "told to stop" in run.attempts[0].error.message
        assert await asyncio.to_thread(stopped.process.wait, 60) == 0
        assert psutil.wait_procs(left, timeout=10)[1] == []
    run = await ended(shop, run, other.home / "log")
    assert (run.error, run.max_attempts) == (None, 4)
    assert other.executes(run)
    assert await loaded_once(shop)


async def test_the_log_of_a_run_is_read_from_the_shared_storage(
    shop: OrgOut, hosts: list[Host]
) -> None:
    run = await ended(shop, await start(shop), hosts[0].home / "log")
    lines, _ = await asyncio.to_thread(storage.read_log, shop.id, run.id)
    assert any(line.message.startswith("Loading") for line in lines)
    assert not list(hosts[0].home.glob("storage/*"))


@pytest.mark.parametrize(
    "change",
    [{"ETLFABRIC_FERNET_KEYS": ""}, {"ETLFABRIC_REDIS_URL": "redis://127.0.0.1:1/0"}],
    ids=["no keys", "no broker"],
)
def test_a_host_that_cannot_work_says_what_it_lacks(
    environment: dict[str, str], change: dict[str, str]
) -> None:
    with host(environment | change, "worker") as refused:
        assert refused.process.wait(60) == 1
        assert next(iter(change)) in refused.said
