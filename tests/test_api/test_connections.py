"""Connections and connectors over HTTP: secrets stay in, checks and discoveries may be waited for
later.
"""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

CRM = {
    "connector": "rest_api",
    "config": {
        "client": {
            "base_url": "https://api.example.com/",
            "auth": {"type": "bearer", "token": {"secret": "token"}},
        },
        "resources": ["orders"],
    },
    "secrets": {"token": "canary-4711"},
}


async def test_connectors_are_listed_and_described(client, people):
    page = (await client.get("/connectors", headers=people.viewer.headers)).json()
    assert {"sql_database", "rest_api", "filesystem"} <= {one["name"] for one in page["items"]}
    spec = await client.get("/connectors/sql_database", headers=people.viewer.headers)
    assert "password" in spec.json()["secrets_schema"]["properties"]
    none = await client.get("/connectors/none", headers=people.viewer.headers)
    assert (none.status_code, none.json()["code"]) == (404, "not_found")


async def test_connection_is_created_edited_and_deleted_without_telling_its_secret(desk):
    made = await desk("POST", "connections", json=CRM | {"name": "crm"})
    assert (made.status_code, made.json()["secrets"]) == (201, ["token"])
    config = CRM["config"] | {"resources": ["orders", "people"]}
    edited = await desk("PATCH", "connections/crm", json={"config": config})
    assert edited.json()["config"]["resources"] == ["orders", "people"]
    assert edited.json()["secrets"] == ["token"]
    shown = await desk("GET", "connections/crm")
    listed = await desk("GET", "connections")
    texts = [answer.text for answer in (made, edited, shown, listed)]
    assert not [text for text in texts if "canary-4711" in text]
    assert (await desk("DELETE", "connections/crm")).status_code == 204
    assert (await desk("GET", "connections/crm")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "No Name"}, "name"),
        ({"config": {}}, None),
        ({"connector": 7}, "connector"),
        ({"secrets": {"token": 7}}, "secrets.token"),
        ({"unknown": 1}, "unknown"),
    ],
    ids=["name", "config", "connector", "secrets", "unknown"],
)
async def test_connection_that_cannot_be_is_refused_with_its_field(desk, change, field):
    answer = await desk("POST", "connections", json=CRM | {"name": "bad"} | change)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["remedy"]
    assert "canary-4711" not in answer.text
    if field:
        assert problem["where"]["field"] == field


async def test_check_answers_named_steps(desk):
    found = (await desk("POST", "connections/shop/check")).json()
    assert found["ok"] is True
    assert all(step["ok"] and step["name"] for step in found["steps"])


async def test_discover_lists_streams(desk):
    (stream,) = (await desk("POST", "connections/shop/discover")).json()["streams"]
    assert (stream["name"], stream["primary_key"]) == ("orders", ["id"])


async def test_slow_check_answers_202_and_its_location_gives_the_answer(desk):
    later = await desk("POST", "connections/shop/check", params={"wait_s": 0})
    assert later.status_code == 202
    assert later.headers["retry-after"]
    location = later.headers["location"]
    assert location == later.json()["location"]
    path = location.removeprefix(f"/api/v1/orgs/{desk.org.slug}/")
    found = await desk("GET", path, params={"wait_s": 30})
    assert (found.status_code, found.json()["ok"]) == (200, True)


async def test_answer_of_another_org_reads_like_a_missing_one(desk, client, people):
    later = await desk("POST", "connections/shop/check", params={"wait_s": 0})
    request = later.json()["request"]
    for answer_id in (request, str(uuid4())):
        path = f"/orgs/{people.foreign.slug}/answers/{answer_id}"
        answer = await client.get(path, headers=people.stranger.headers)
        assert answer.status_code == 404
        assert answer.json()["detail"].replace(answer_id, "…") == "There is no answer …."


async def test_connection_in_use_is_not_deleted(desk):
    answer = await desk("DELETE", "connections/shop")
    assert (answer.status_code, answer.json()["where"]) == (409, {"pipelines": ["shop"]})


async def test_list_pages_by_name(desk):
    for name in ("page_a", "page_b"):
        made = await desk("POST", "connections", json=CRM | {"name": name})
        assert made.status_code == 201, made.text
    seen, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await desk("GET", "connections", params=params)).json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert {"page_a", "page_b", "shop"} <= set(seen)


async def test_viewer_reads_but_neither_creates_nor_checks(client, people):
    headers, path = people.viewer.headers, f"/orgs/{people.org.slug}/connections"
    assert (await client.get(path, headers=headers)).status_code == 200
    made = await client.post(path, headers=headers, json=CRM | {"name": "crm"})
    assert (made.status_code, made.json()["code"]) == (403, "permission_denied")


async def test_openapi_never_shows_a_secret_as_readable(client):
    schema = (await client.get("/openapi.json")).json()
    out = json.dumps(schema["components"]["schemas"]["ConnectionOut"])
    assert "writeOnly" not in out
    secrets = schema["components"]["schemas"]["ConnectionIn"]["properties"]["secrets"]
    assert secrets["additionalProperties"]["writeOnly"] is True
