"""Dagster's optional daemon works on our workspace."""

from __future__ import annotations

import asyncio

import dagster as dg
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster.orchestration import daemon
from etlfabric_dagster.schemas.orgs import OrgOut


async def test_the_daemon_for_backfills_beats_without_an_error(
    published: OrgOut, instance: dg.DagsterInstance
) -> None:
    @retry(stop=stop_after_delay(60), wait=wait_fixed(0.05), reraise=True)
    def wait_for_beat() -> dg.DagsterInstance:
        assert "BACKFILL" in instance.get_daemon_heartbeats()
        return instance

    def work() -> None:
        with daemon.working(instance) as controller:
            wait_for_beat()
            controller.check_daemon_threads()

    await asyncio.to_thread(work)
    beat = instance.get_daemon_heartbeats()["BACKFILL"]
    assert not beat.errors
