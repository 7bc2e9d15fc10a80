"""Doorbells are rung after the commit, never without it, and a dead broker fails nobody."""

from __future__ import annotations

import json

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import text

from etlfabric_dagster import queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session

QUEUE = "etlfabric.test"


@pytest.fixture
def broker(install):
    with redis.Redis.from_url(install.redis) as client:
        client.delete(QUEUE)
        yield client


async def test_doorbell_is_rung_after_the_commit(broker):
    async with get_session() as session:
        queue.ring_after_commit(session, "etlfabric.execute_run", "id-1", queue=QUEUE)
        assert broker.llen(QUEUE) == 0
    message = json.loads(broker.lindex(QUEUE, 0))
    assert message["headers"]["task"] == "etlfabric.execute_run"
    assert broker.llen(QUEUE) == 1


async def test_rolled_back_work_rings_nobody(broker):
    async def ring_and_fail() -> None:
        async with get_session() as session:
            await session.execute(text("SELECT 1"))
            queue.ring_after_commit(session, "etlfabric.execute_run", "id-1", queue=QUEUE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await ring_and_fail()
    assert broker.llen(QUEUE) == 0


async def test_dead_broker_does_not_fail_the_commit(install, monkeypatch):
    dead = SecretStr("redis://127.0.0.1:1/0")
    monkeypatch.setattr(settings, "redis_url", dead)
    queue.reset()
    try:
        assert queue.ring("etlfabric.execute_run", "id-1", queue=QUEUE) is False
    finally:
        queue.reset()
