"""Requests made up from the OpenAPI document; `benchmarks/fuzz` sends ten thousand of them."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import fuzz
from etlfabric_dagster.config import settings
from tests.served import served_api

REQUESTS = 250


@pytest.fixture
async def report(migrated, interactive_worker, make_slug, monkeypatch) -> fuzz.Report:
    monkeypatch.setattr(settings, "rate_limit_per_minute", 0)
    token, objects = await fuzz.prepare(make_slug())
    with served_api() as url:
        return await asyncio.to_thread(fuzz.fuzz, url, token, objects, REQUESTS, 1)


async def test_made_up_requests_are_answered_as_the_document_says(report):
    assert report.faults == []
    assert report.server_errors == 0
    assert report.requests >= REQUESTS
    assert len(report.operations) > 100
    assert report.statuses[200] > REQUESTS / 10  # not all of them stop at the door
