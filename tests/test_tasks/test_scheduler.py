"""The clock's ticks: one that fails comes again, and does not stop the others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import redis

from etlfabric_dagster import queue
from etlfabric_dagster.config import Settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.embedded import health
from etlfabric_dagster.errors import StackError
from etlfabric_dagster.models import InteractiveRequest
from etlfabric_dagster.orchestration.instance import DagsterInstance, open_instance
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import interactive as requests
from etlfabric_dagster.services import snapshots
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.tasks import heartbeats, interactive, scheduler


@pytest.fixture
async def waiting(migrated: Settings) -> redis.Redis:
    """The interactive queue, empty."""
    client = redis.Redis.from_url(migrated.redis)
    client.delete(queue.INTERACTIVE)
    return client


async def test_an_org_that_nobody_published_is_rung_for(
    org: OrgOut, migrated: Settings, waiting: redis.Redis
) -> None:
    assert org.id in await snapshots.unpublished()
    with open_instance(migrated) as instance:
        await asyncio.to_thread(scheduler.settle, instance)
    assert waiting.llen(queue.INTERACTIVE) >= 1
    waiting.close()
    await asyncio.to_thread(interactive.publish_org, str(org.id))
    assert org.id not in await snapshots.unpublished()


async def test_an_org_that_cannot_be_built_is_not_rung_for_until_it_changes(org: OrgOut) -> None:
    state = await snapshots.state_of(org.id)
    await snapshots.record_error(org.id, state.configured, "two assets share a key")
    assert org.id not in await snapshots.unpublished()
    async with org_scope(OPERATOR, org.slug) as scope:
        await scope.touch_config()
    assert org.id in await snapshots.unpublished()


async def test_a_request_that_nobody_heard_is_rung_again(org: OrgOut, waiting: redis.Redis) -> None:
    async with get_session() as session:
        session.add(InteractiveRequest(org_id=org.id, kind="check", arguments={}))
    assert await requests.ring_stale(after_s=0) >= 1
    assert waiting.llen(queue.INTERACTIVE) >= 1
    waiting.close()


def test_a_tick_that_fails_does_not_end_the_clock(
    migrated: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: DagsterInstance) -> None:
        raise OSError("the database is away")

    with open_instance(migrated) as instance:
        scheduler._guarded(broken, instance)()
        jobs = {job.id for job in scheduler.make(instance).get_jobs()}
    assert jobs == {"fire", "reconcile", "settle", "alive", "clean", "watch"}


def test_a_sign_of_life_is_read_until_it_is_too_old(migrated: Settings) -> None:
    assert heartbeats.last("somebody") is None
    heartbeats.beat("somebody")
    assert heartbeats.last("somebody")
    with redis.Redis.from_url(migrated.redis) as client:
        key = heartbeats.key("somebody", heartbeats.this_host())
        assert 0 < client.ttl(key) <= heartbeats.TTL_S


def test_the_clocks_of_two_hosts_are_told_apart(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = heartbeats.this_host()
    monkeypatch.setattr(heartbeats, "this_host", lambda: "other-host")
    heartbeats.beat("clock")
    monkeypatch.undo()
    with pytest.raises(StackError, match="No sign of life on this host; also on other-host"):
        health.heartbeat("clock")
    heartbeats.beat("clock")
    assert set(heartbeats.hosts("clock")) == {here, "other-host"}
    assert health.heartbeat("clock").endswith("; also on other-host")


def test_homes_on_one_machine_are_hosts_of_their_own(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = heartbeats.this_host()
    monkeypatch.setattr(heartbeats, "settings", migrated.model_copy(update={"home": tmp_path}))
    assert heartbeats.this_host() != here
