"""Hostile input is a refusal with a remedy, never a 5xx."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from sqlalchemy import delete

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import InteractiveRequest
from etlfabric_dagster.services import interactive

LONG = "x" * 5000


def cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.fixture
async def flood(people):
    """All that an org may ask at once waits; an older flood, whose worker died, is not counted."""
    org = {"org_id": people.foreign.id, "kind": "query", "arguments": {}, "status": "running"}
    dead = clock.now() - timedelta(minutes=10)
    count = interactive.MAX_WAITING
    rows = [InteractiveRequest(**org) for _ in range(count)]
    rows += [
        InteractiveRequest(**org | {"org_id": people.org.id}, created_at=dead) for _ in range(count)
    ]
    async with get_session() as session:
        session.add_all(rows)
    yield
    async with get_session() as session:
        ids = [row.id for row in rows]
        await session.execute(delete(InteractiveRequest).where(InteractiveRequest.id.in_(ids)))


async def test_org_that_floods_the_workers_waits_and_no_other(client, people, flood):
    sent = {"json": {"sql": "select 1"}, "params": {"wait_s": 0}}
    url = f"/orgs/{people.foreign.slug}/query"
    refused = await client.post(url, headers=people.stranger.headers, **sent)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert (int(refused.headers["retry-after"]) > 0, bool(refused.json()["remedy"])) == (True, True)
    url = f"/orgs/{people.org.slug}/query"
    other = await client.post(url, headers=people.owner.headers, **sent)
    assert other.status_code in (200, 202), other.text


def is_refusal(answer) -> bool:
    """4xx, as a problem with a remedy."""
    problem = answer.json()
    return 400 <= answer.status_code < 500 and bool(problem["remedy"] and problem["code"])


@pytest.mark.parametrize(
    "path",
    [
        "/orgs/%00",
        "/orgs/a%00b/connections",
        "/orgs/%ed%a0%80/runs",
        "/orgs/%F0%9F%92%A9/pipelines",
        "/orgs/ORG/connections/%00",
        "/orgs/ORG/pipelines/%C3%A9%00",
        "/orgs/ORG/dbt-models/..%2f..%2fetc%2fpasswd",
        "/orgs/ORG/runs/00000000-0000-0000-0000-00000000000g",
        "/orgs/ORG/runs?pipeline=%00",
        "/orgs/ORG/runs?since=yesterday",
        "/orgs/ORG/runs?limit=99999999999999999999",
        "/orgs/ORG/usage?from=0000-00-00",
        "/orgs/ORG/data/pg_catalog/pg_authid",
        f"/orgs/{LONG}",
        f"/orgs/ORG/runs?cursor={LONG}",
        f"/orgs/ORG/runs?cursor={cursor(['x', None])}",
        f"/orgs/ORG/connections?cursor={cursor([{'a': 1}, 2])}",
        f"/orgs/ORG/audit?cursor={cursor([10**30])}",
        f"/orgs/ORG/audit?cursor={cursor('[' * 300)}",
    ],
    ids=lambda path: path[:60],
)
async def test_path_or_query_is_refused(client, people, path):
    url = path.replace("ORG", people.org.slug)
    answer = await client.get(url, headers=people.owner.headers)
    assert is_refusal(answer), answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "a\\u0000b", "connector": "rest_api", "config": {}}',
        b'{"name": "\\ud800", "connector": "rest_api", "config": {}}',
        b'{"name": {"$ne": 1}, "connector": ["x"], "config": 7}',
        b'{"name": "shop", "connector": "rest_api", "config": {}, "is_operator": true}',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_body_is_refused(client, people, body):
    headers = people.owner.headers | {"Content-Type": "application/json"}
    url = f"/orgs/{people.org.slug}/connections"
    assert is_refusal(await client.post(url, headers=headers, content=body))


async def test_ten_megabytes_are_too_much_announced_or_not(client, people):
    async def pieces():
        for _ in range(160):
            yield b"x" * 65_536

    headers = people.owner.headers | {"Content-Type": "application/json"}
    url = f"/orgs/{people.org.slug}/connections"
    for content in (b"x" * 10_485_760, pieces()):
        answer = await client.post(url, headers=headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("tag", ['"nothing"', "W/", "é", '"' * 50, "\t,,,"], ids=ascii)
async def test_edit_of_an_unknown_version_is_refused(client, people, tag):
    headers = people.owner.headers | {"If-Match": tag.encode()}
    answer = await client.patch(
        f"/orgs/{people.org.slug}", headers=headers, json={"name": people.org.name}
    )
    assert (answer.status_code, answer.json()["code"]) == (412, "edited_meanwhile")


async def test_request_id_cannot_start_another_header(client, people):
    for given in ("a\tb", "x" * 65, "<script>", "é"):
        answer = await client.get("/orgs", headers={"X-Request-ID": given.encode()})
        assert answer.headers["x-request-id"] != given
        assert answer.headers["x-request-id"].isalnum()


@pytest.mark.parametrize(
    ("origin", "method", "header"),
    [
        ("https://evil.test", "GET", "authorization"),
        ("\x80", "GET", "authorization"),
        ("http://localhost:3000", "TRACE", "authorization"),
        ("http://localhost:3000", "GET", "x-evil"),
    ],
    ids=["site", "bytes", "method", "header"],
)
async def test_page_of_another_site_is_refused_with_a_problem(client, origin, method, header):
    asked = {"Origin": origin.encode("latin-1"), "Access-Control-Request-Method": method}
    answer = await client.options(
        "/orgs", headers=asked | {"Access-Control-Request-Headers": header}
    )
    assert is_refusal(answer), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["", "null", "https://evil.test", "http://api.test.evil.test"])
async def test_cookie_of_another_site_changes_nothing(client, register, origin):
    person = await register()
    given = {"email": person.email, "password": person.password}
    await client.post("/auth/login", json=given)
    headers = {"Origin": origin} if origin else {}
    answer = await client.patch("/auth/me", headers=headers, json={"name": "Evil"})
    client.cookies.clear()
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
