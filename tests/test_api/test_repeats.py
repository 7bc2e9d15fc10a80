"""Requests that are sent twice, and edits made from an older version."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR

CONFIG = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}


def named(person, key=None):
    return person.headers | {"Idempotency-Key": key or uuid4().hex}


async def test_creation_sent_twice_happens_once(client, people):
    headers = named(people.owner)
    first, second = [
        await client.post("/tokens", headers=headers, json={"name": "ci"}) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


async def test_kept_answer_is_sealed(client, people):
    answer = await client.post("/tokens", headers=named(people.owner), json={"name": "ci"})
    async with get_session() as session:
        dump = await session.scalar(
            text("SELECT string_agg(encode(sealed, 'escape'), ',') FROM idempotency_keys")
        )
    assert dump
    assert answer.json()["token"] not in dump


async def test_key_of_another_request_is_refused(client, people):
    headers = named(people.owner)
    await client.post("/tokens", headers=headers, json={"name": "ci"})
    other = await client.post("/tokens", headers=headers, json={"name": "other"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_keys_of_two_people_are_apart(client, people):
    key = uuid4().hex
    made = [
        (await client.post("/tokens", headers=named(one, key), json={"name": "ci"})).json()["id"]
        for one in (people.owner, people.admin)
    ]
    assert len(set(made)) == 2


async def test_of_many_at_once_one_creates(client, people):
    headers = named(people.owner)
    answers = await asyncio.gather(
        *(client.post("/tokens", headers=headers, json={"name": "many"}) for _ in range(5))
    )
    made = {one.json()["id"] for one in answers if one.status_code == 201}
    assert len(made) == 1
    assert {one.status_code for one in answers} <= {201, 409}


async def test_refused_request_may_be_corrected_under_its_key(client, people):
    headers = named(people.owner)
    path = f"/orgs/{people.org.slug}/invitations"
    given = {"email": f"{uuid4().hex[:8]}@example.com", "role": "viewer"}
    refused = await client.post(path, headers=headers, json=given | {"email": "nobody"})
    assert refused.status_code == 422
    assert (await client.post(path, headers=headers, json=given)).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_unusable_key_is_refused(client, people, key):
    headers = people.owner.headers | {"Idempotency-Key": key}
    answer = await client.post("/tokens", headers=headers, json={"name": "ci"})
    assert answer.status_code == 422


@pytest.fixture
async def connection(client, migrated, make_slug, people):
    """The path of a connection, as an operator."""
    org = await orgs.create(OPERATOR, make_slug(), "Edited")
    path = f"/orgs/{org.slug}/connections"
    given = {"name": "crm", "connector": "rest_api", "config": CONFIG}
    made = await client.post(path, headers=people.operator.headers, json=given)
    assert made.status_code == 201, made.text
    return f"{path}/crm"


async def test_edit_of_an_older_version_is_refused(client, people, connection):
    headers = people.operator.headers
    first = (await client.get(connection, headers=headers)).headers["etag"]
    edit = {"config": CONFIG | {"resources": ["items"]}}
    saved = await client.patch(connection, headers=headers | {"If-Match": first}, json=edit)
    assert saved.status_code == 200
    second = (await client.get(connection, headers=headers)).headers["etag"]
    assert saved.headers["etag"] == second != first
    late = await client.patch(connection, headers=headers | {"If-Match": first}, json=edit)
    assert (late.status_code, late.json()["code"]) == (412, "edited_meanwhile")
    gone = await client.delete(connection, headers=headers | {"If-Match": first})
    assert gone.status_code == 412
    gone = await client.delete(connection, headers=headers | {"If-Match": second})
    assert gone.status_code == 204


async def test_of_two_edits_from_one_version_one_wins(client, people, connection):
    headers = people.operator.headers
    etag = (await client.get(connection, headers=headers)).headers["etag"]
    answers = await asyncio.gather(
        *(
            client.patch(
                connection,
                headers=headers | {"If-Match": etag},
                json={"config": CONFIG | {"resources": [f"r{n}"]}},
            )
            for n in range(4)
        )
    )
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412]


async def test_same_content_keeps_its_etag(client, people, connection):
    headers = people.operator.headers
    etags = {(await client.get(connection, headers=headers)).headers["etag"] for _ in range(2)}
    saved = await client.patch(connection, headers=headers, json={"config": CONFIG})
    assert etags == {saved.headers["etag"]}


async def test_edit_of_a_missing_object_is_refused(client, people):
    path = f"/orgs/{people.org.slug}/connections/nothing"
    headers = people.owner.headers | {"If-Match": '"x"'}
    assert (await client.delete(path, headers=headers)).status_code in (404, 412)
