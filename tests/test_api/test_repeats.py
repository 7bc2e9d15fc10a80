"""Requests that are sent twice, and edits made from an older version."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from etlfabric_dagster.api import repeats
from etlfabric_dagster.db import get_session
from etlfabric_dagster.services import archives, orgs
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_api.document import document

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


async def test_somebody_new_may_name_a_key(client, make_slug):
    given = {"email": f"{make_slug()}@example.com", "password": "a long enough one"}
    given |= {"org_name": "Acme", "slug": make_slug()}
    made = await client.post("/auth/signup", headers={"Idempotency-Key": "x"}, json=given)
    client.cookies.clear()
    assert made.status_code == 201, made.text
    nobody = await client.post("/tokens", headers={"Idempotency-Key": "x"}, json={"name": "ci"})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated")


async def test_file_with_a_key_is_never_held_whole(client, people, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100_000)

    async def endless():
        for _ in range(4):
            yield b"x" * 65_536
        raise AssertionError("it was read on and on")

    url = f"/orgs/{people.org.slug}/dbt-models/import"
    for person, status in ((people.editor, 413), (people.viewer, 403)):
        answer = await client.post(url, headers=named(person), content=endless())
        assert answer.status_code == status, answer.text


async def test_large_answer_is_not_kept(client, people, monkeypatch):
    monkeypatch.setattr(repeats, "MAX_KEPT", 10)
    headers = named(people.owner)
    first, second = [
        await client.post("/tokens", headers=headers, json={"name": "large"}) for _ in range(2)
    ]
    assert first.json()["id"] != second.json()["id"]


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


async def test_edit_whose_body_never_comes_keeps_nobody_waiting(client, people, connection):
    headers = people.operator.headers
    etag = (await client.get(connection, headers=headers)).headers["etag"]
    matched = headers | {"If-Match": etag, "Content-Type": "application/json"}
    never = asyncio.Event()

    async def dawdle():
        yield b"{"
        await never.wait()

    dawdling = [
        asyncio.create_task(client.patch(connection, headers=matched, content=dawdle()))
        for _ in range(4)
    ]
    try:
        edit = {"config": CONFIG | {"resources": ["quick"]}}
        async with asyncio.timeout(10):
            saved = await client.patch(connection, headers=matched, json=edit)
        assert saved.status_code == 200
    finally:
        for one in dawdling:
            one.cancel()
        await asyncio.gather(*dawdling, return_exceptions=True)


WITHOUT_A_VERSION = {
    "put_upload": "a file is replaced whole",
    "decide_column": "a decision, the same from every version",
    "sign_user_out": "a list",
    "end_sessions": "a list",
    **dict.fromkeys(
        ("revoke_token", "revoke_org_token", "revoke_invitation", "delete_upload"),
        "never edited, only ended",
    ),
}


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_what_is_edited_can_be_read_with_its_version(path):
    operations = document()["paths"][path]
    edits = {operations[m]["operationId"] for m in ("put", "patch", "delete") if m in operations}
    assert "get" in operations or edits <= set(WITHOUT_A_VERSION)


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("usage/quota", {"rows_per_month": 10**12}),
        ("limits", {"weight": 2}),
        ("alerts/rules/nightly", {"channels": ["etags"], "stale_after_s": 3600}),
        ("alerts/channels/etags", {"to": ["other@example.com"]}),
    ],
)
async def test_settings_of_an_org_carry_versions(client, people, alerting, path, edit):
    url, headers = f"/orgs/{people.foreign.slug}/{path}", people.operator.headers
    etag = (await client.get(url, headers=headers)).headers["etag"]
    late = headers | {"If-Match": etag}
    saved = await client.put(url, headers=late, json=edit)
    assert saved.status_code == 200, saved.text
    refused = await client.put(url, headers=late, json=edit)
    assert (refused.status_code, refused.json()["code"]) == (412, "edited_meanwhile")


@pytest.fixture
async def alerting(client, people):
    """A channel and a rule of `people.foreign`."""
    path, headers = f"/orgs/{people.foreign.slug}/alerts", people.operator.headers
    channel = {"name": "etags", "kind": "email", "to": ["ops@example.com"]}
    await client.post(f"{path}/channels", headers=headers, json=channel)
    await client.put(f"{path}/rules/nightly", headers=headers, json={"channels": ["etags"]})
    yield
    await client.delete(f"{path}/rules/nightly", headers=headers)
    await client.delete(f"{path}/channels/etags", headers=headers)


async def test_member_carries_a_version(client, people):
    me = (await client.get("/auth/me", headers=people.editor.headers)).json()["id"]
    url, headers = f"/orgs/{people.org.slug}/members/{me}", people.owner.headers
    etag = (await client.get(url, headers=headers)).headers["etag"]
    same = await client.patch(url, headers=headers | {"If-Match": etag}, json={"role": "editor"})
    assert (same.status_code, same.headers["etag"]) == (200, etag)
    refused = await client.patch(url, headers=headers | {"If-Match": '"x"'}, json={"role": "owner"})
    assert refused.status_code == 412


async def test_edit_of_a_missing_object_is_refused(client, people):
    path = f"/orgs/{people.org.slug}/connections/nothing"
    headers = people.owner.headers | {"If-Match": '"x"'}
    assert (await client.delete(path, headers=headers)).status_code in (404, 412)
