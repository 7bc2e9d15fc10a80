"""The application around its routes: problems, ids, headers, limits, health."""

from __future__ import annotations

import re

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from etlfabric_dagster.api.app import create_app
from etlfabric_dagster.api.body import MAX_BODY
from etlfabric_dagster.config import settings
from tests.test_api.conftest import BASE
from tests.test_api.document import document


async def test_every_operation_has_its_own_id():
    paths = document()["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert "list_orgs" in ids


async def test_unknown_path_and_method_are_problems(client):
    for answer in (await client.get("/nowhere"), await client.patch("/orgs")):
        problem = answer.json()
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["remedy"]
        assert problem["request_id"] == answer.headers["x-request-id"]


async def test_unreadable_body_names_every_field(client, people):
    answer = await client.post("/orgs", headers=people.operator.headers, json={"slug": "A", "x": 1})
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["errors"]} == {"slug", "name", "x"}
    answer = await client.post("/orgs", headers=people.operator.headers, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_unforeseen_error_keeps_its_cause_in_the_log(client, people, monkeypatch):
    failure = RuntimeError("password=hunter2")

    async def fail(*_):
        raise failure

    monkeypatch.setattr("etlfabric_dagster.services.orgs.list_orgs", fail)
    with capture_logs() as logged:
        answer = await client.get("/orgs", headers=people.operator.headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "unforeseen")
    assert "hunter2" not in answer.text
    entry = next(one for one in logged if one["event"] == "api.unforeseen")
    assert entry["exc_info"] is failure
    assert entry["request_id"] in answer.json()["remedy"]


@pytest.mark.parametrize("failure", [ConnectionRefusedError(), asyncpg.CannotConnectNowError()])
async def test_database_that_is_down_is_told_with_a_time_to_come_back(
    client, people, monkeypatch, failure
):
    async def fail(*_):
        raise failure

    monkeypatch.setattr("etlfabric_dagster.services.orgs.list_orgs", fail)
    answer = await client.get("/orgs", headers=people.operator.headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unreachable")
    assert int(answer.headers["retry-after"]) > 0


async def test_request_id_of_the_caller_is_kept_unless_it_is_hostile(client):
    kept = await client.get("/nowhere", headers={"x-request-id": "trace-1"})
    assert kept.headers["x-request-id"] == "trace-1"
    replaced = await client.get("/nowhere", headers={"x-request-id": "a\tb"})
    assert replaced.headers["x-request-id"] != "a\tb"


async def test_every_answer_carries_security_headers(client):
    answer = await client.get("/nowhere")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_oversized_body_is_refused(client, announced):
    async def pieces():
        for _ in range(MAX_BODY // 65536 + 2):
            yield b" " * 65536

    body = b" " * (MAX_BODY + 1) if announced else pieces()
    answer = await client.post("/auth/login", content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%F0%9F%92%A9", "a" * 60, "..%2f..", "%ED%A0%80"])
async def test_hostile_path_is_a_refusal_never_a_failure(client, people, slug):
    answer = await client.get(f"/orgs/{slug}", headers=people.operator.headers)
    assert answer.status_code in (404, 422)
    assert answer.json()["remedy"]


async def test_health_answers_anybody_and_readiness_asks_the_servers(client):
    assert (await client.get("http://api.test/healthz")).json() == {"status": "ok"}
    ready = await client.get("http://api.test/readyz")
    assert (ready.status_code, ready.json()["database"], ready.json()["redis"]) == (200, "ok", "ok")


async def test_readiness_names_the_server_that_is_down(client, monkeypatch):
    monkeypatch.setattr(
        "etlfabric_dagster.services.health._broker", lambda: "cannot be reached: ConnectionError"
    )
    ready = await client.get("http://api.test/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert "cannot be reached" in ready.json()["redis"]


async def test_metrics_are_for_operators_and_name_routes_not_paths(client, people):
    await client.get(f"/orgs/{people.org.slug}", headers=people.viewer.headers)
    assert (await client.get("http://api.test/metrics")).status_code == 401
    refused = await client.get("http://api.test/metrics", headers=people.owner.headers)
    assert refused.status_code == 403
    text = (await client.get("http://api.test/metrics", headers=people.operator.headers)).text
    assert 'method="GET",route="get_org",status="200"' in text
    assert f"/orgs/{people.org.slug}" not in text
    assert re.search(r"^etlfabric_runs_queued \d", text, re.MULTILINE)
    assert "process_resident_memory_bytes" in text


async def test_only_listed_origins_may_read_answers(monkeypatch):
    monkeypatch.setattr(settings, "cors_origins", ["https://panel.example.com"])
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        asked = {"Access-Control-Request-Method": "GET"}
        listed = await client.options("/orgs", headers=asked | {"Origin": settings.cors_origins[0]})
        other = await client.options("/orgs", headers=asked | {"Origin": "https://evil.example"})
    assert listed.headers["access-control-allow-origin"] == settings.cors_origins[0]
    assert listed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
