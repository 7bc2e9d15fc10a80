"""Runs over HTTP: start, filter, page, cancel, retry; logs as pages and as events."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from etlfabric_dagster import clock, storage
from etlfabric_dagster.api import live_logs
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Run
from etlfabric_dagster.schemas.runs import LogLine
from etlfabric_dagster.services.scope import OPERATOR


async def start(desk, **selection) -> dict:
    answer = await desk("POST", "runs", json={"pipeline": "shop", "selection": selection})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def end(run: str, status: str = "succeeded") -> None:
    async with get_session() as session:
        ended = {"status": status, "finished_at": clock.now()}
        await session.execute(update(Run).where(Run.id == UUID(run)).values(**ended))


def write(desk, run: str, *messages: str, attempt: int = 1) -> None:
    lines = [
        LogLine(at=clock.now(), level="info", message=message, attempt=attempt)
        for message in messages
    ]
    storage.append_log(desk.org.id, UUID(run), attempt, lines)


def events(text: str) -> list[dict[str, str]]:
    """Server-sent events as a browser reads them."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


async def test_run_is_queued_shown_canceled_and_retried(desk):
    run = await start(desk, full_refresh=["orders"])
    assert (run["status"], run["trigger"]) == ("queued", "api")
    assert run["selection"]["full_refresh"] == ["orders"]
    canceled = await desk("POST", f"runs/{run['id']}/cancel")
    assert canceled.json()["status"] == "canceled"
    again = await desk("POST", f"runs/{run['id']}/retry")
    assert (again.status_code, again.json()["selection"]) == (201, run["selection"])
    early = await desk("POST", f"runs/{again.json()['id']}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    shown = await desk("GET", f"runs/{run['id']}")
    assert shown.json()["status"] == "canceled"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pipeline": "none"}, 404),
        ({"pipeline": "shop", "selection": {"streams": ["ghosts"]}}, 422),
        ({}, 422),
        ({"pipeline": "shop", "sel": 1}, 422),
    ],
    ids=["pipeline", "stream", "empty", "field"],
)
async def test_run_that_cannot_be_is_refused(desk, body, status):
    answer = await desk("POST", "runs", json=body)
    assert (answer.status_code, bool(answer.json()["remedy"])) == (status, True)


async def test_list_filters_and_pages_newest_first(desk):
    ids = [(await start(desk))["id"] for _ in range(3)]
    await end(ids[1], "failed")
    failed = (await desk("GET", "runs", params={"status": "failed"})).json()["items"]
    assert ids[1] in [run["id"] for run in failed]
    assert {run["status"] for run in failed} == {"failed"}
    assert (await desk("GET", "runs", params={"trigger": "dagster"})).json()["items"] == []
    asked = (await desk("GET", "runs", params={"trigger": "api"})).json()["items"]
    assert set(ids) <= {run["id"] for run in asked}
    none = (await desk("GET", "runs", params={"pipeline": "none"})).json()
    assert none == {"items": [], "next": None}
    later = (clock.now() + timedelta(hours=1)).isoformat()
    assert (await desk("GET", "runs", params={"since": later})).json()["items"] == []
    first = (await desk("GET", "runs", params={"limit": 2})).json()
    second = (await desk("GET", "runs", params={"limit": 1, "cursor": first["next"]})).json()
    seen = [run["id"] for run in first["items"] + second["items"]]
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"limit": 0}, {"limit": 201}, {"status": "no"}, {"since": "2026-01-01"}],
    ids=["cursor", "limit_0", "limit_201", "status", "naive"],
)
async def test_list_refuses_what_it_cannot_read(desk, params):
    answer = await desk("GET", "runs", params=params)
    assert (answer.status_code, bool(answer.json()["remedy"])) == (422, True)


async def test_run_of_another_org_reads_like_a_missing_one(desk, client, people):
    run = (await start(desk))["id"]
    for method, tail in (("GET", ""), ("GET", "/logs"), ("GET", "/logs/live"), ("POST", "/cancel")):
        answers = [
            await client.request(
                method,
                f"/orgs/{people.foreign.slug}/runs/{one}{tail}",
                headers=people.stranger.headers,
            )
            for one in (run, uuid4())
        ]
        assert [answer.status_code for answer in answers] == [404, 404], tail


async def test_log_is_read_in_pages_until_the_run_has_ended(desk):
    run = (await start(desk))["id"]
    write(desk, run, "one", "two")
    write(desk, run, "three")
    path = f"runs/{run}/logs"
    first = (await desk("GET", path, params={"limit": 2})).json()
    rest = (await desk("GET", path, params={"after": first["next"]})).json()
    assert [line["message"] for line in first["items"]] == ["one", "two"]
    assert [line["message"] for line in rest["items"]] == ["three"]
    assert rest["next"] == rest["positions"][-1]  # it may still write
    idle = (await desk("GET", path, params={"after": rest["next"]})).json()
    assert (idle["items"], idle["next"]) == ([], rest["next"])
    await end(run)
    assert (await desk("GET", path, params={"after": rest["next"]})).json()["next"] is None
    bad = await desk("GET", path, params={"after": "../../etc"})
    assert (bad.status_code, bad.json()["where"]) == (422, {"field": "after"})


async def test_live_log_ends_with_the_run_and_goes_on_behind_the_last_event(desk):
    run = (await start(desk))["id"]
    write(desk, run, "one", "two\nlines")
    await end(run, "failed")
    answer = await desk("GET", f"runs/{run}/logs/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, second, last = events(answer.text)
    assert [json.loads(one["data"])["message"] for one in (first, second)] == ["one", "two\nlines"]
    assert (last["event"], json.loads(last["data"])) == ("end", {"status": "failed"})
    resumed = await desk("GET", f"runs/{run}/logs/live", headers={"Last-Event-ID": first["id"]})
    assert [one.get("id") for one in events(resumed.text)] == [second["id"], None]


async def test_live_log_brings_lines_as_they_are_written(desk):
    run = (await start(desk))["id"]
    stream = live_logs.follow(OPERATOR, desk.org.slug, UUID(run), "", None, timedelta(minutes=1))
    write(desk, run, "early")
    assert "early" in await anext(stream)
    write(desk, run, "late")
    assert "late" in await anext(stream)
    await end(run)
    assert "succeeded" in await anext(stream)
    assert [one async for one in stream] == []


async def test_viewer_follows_but_does_not_start(client, people):
    headers, path = people.viewer.headers, f"/orgs/{people.org.slug}/runs"
    assert (await client.get(path, headers=headers)).status_code == 200
    refused = await client.post(path, headers=headers, json={"pipeline": "shop"})
    assert (refused.status_code, refused.json()["where"]["action"]) == (403, "runs.start")
