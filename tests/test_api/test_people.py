"""Members, roles, invitations and API tokens of an org."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_api.mailbox import letters, token_in


@pytest.fixture
async def acme(migrated, make_slug):
    """An org of this test alone."""
    return await orgs.create(OPERATOR, make_slug(), "Acme Inc.")


@pytest.fixture
async def crew(acme, register):
    """One person per role in `acme`."""
    return {str(role): await register(acme, role) for role in Role}


async def ids(client, acme, person):
    page = (await client.get(f"/orgs/{acme.slug}/members", headers=person.headers)).json()
    return {one["email"]: one["user_id"] for one in page["items"]}


async def invite(client, acme, person, email, role="editor"):
    given = {"email": email, "role": role}
    return await client.post(f"/orgs/{acme.slug}/invitations", headers=person.headers, json=given)


async def test_owner_changes_roles_and_the_member_feels_it_at_once(client, acme, crew):
    viewer = crew["viewer"]
    path = f"/orgs/{acme.slug}/members/{(await ids(client, acme, viewer))[viewer.email]}"
    audit = f"/orgs/{acme.slug}/audit"
    assert (await client.get(audit, headers=viewer.headers)).status_code == 403
    given = {"role": "admin"}
    changed = await client.patch(path, headers=crew["owner"].headers, json=given)
    assert (changed.status_code, changed.json()["role"]) == (200, "admin")
    events = (await client.get(audit, headers=viewer.headers)).json()["items"]
    assert (events[0]["action"], events[0]["before"], events[0]["after"]) == (
        *("members.update", {"role": "viewer"}, {"role": "admin"}),
    )
    assert (events[0]["actor"], events[0]["via"]) == (crew["owner"].email, "api")


@pytest.mark.parametrize(("who", "role"), [("owner", "viewer"), ("editor", "owner")])
async def test_admin_neither_makes_nor_unmakes_owners(client, acme, crew, who, role):
    found = await ids(client, acme, crew["admin"])
    path = f"/orgs/{acme.slug}/members/{found[crew[who].email]}"
    answer = await client.patch(path, headers=crew["admin"].headers, json={"role": role})
    assert (answer.status_code, answer.json()["where"]["needs"]) == (403, "owner")


async def test_last_owner_stays(client, acme, crew):
    owner = crew["owner"]
    path = f"/orgs/{acme.slug}/members/{(await ids(client, acme, owner))[owner.email]}"
    for answer in (
        await client.patch(path, headers=owner.headers, json={"role": "viewer"}),
        await client.delete(path, headers=owner.headers),
        await client.post(f"/orgs/{acme.slug}/members/leave", headers=owner.headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")


async def test_of_two_owners_who_leave_at_once_one_stays(client, acme, crew, register):
    second = await register(acme, Role.OWNER)
    path = f"/orgs/{acme.slug}/members/leave"
    answers = await asyncio.gather(
        *(client.post(path, headers=one.headers) for one in (crew["owner"], second))
    )
    assert sorted(one.status_code for one in answers) == [204, 409]


async def test_viewer_may_leave_and_then_sees_nothing(client, acme, crew):
    viewer, path = crew["viewer"], f"/orgs/{acme.slug}"
    left = await client.post(f"{path}/members/leave", headers=viewer.headers)
    assert left.status_code == 204
    assert (await client.get(path, headers=viewer.headers)).status_code == 404


async def test_removed_member_is_shut_out_at_once(client, acme, crew):
    editor, path = crew["editor"], f"/orgs/{acme.slug}"
    found = await ids(client, acme, editor)
    removed = await client.delete(
        f"{path}/members/{found[editor.email]}", headers=crew["admin"].headers
    )
    assert removed.status_code == 204
    assert (await client.get(path, headers=editor.headers)).status_code == 404


async def test_member_of_another_org_is_unknown(client, acme, crew, people):
    found = await ids(client, people.org, people.owner)
    path = f"/orgs/{acme.slug}/members/{found[people.viewer.email]}"
    given = {"role": "admin"}
    answer = await client.patch(path, headers=crew["owner"].headers, json=given)
    assert answer.status_code == 404


async def test_invitation_makes_a_new_person_a_member_once(client, acme, crew):
    email = f"new-{uuid4().hex[:8]}@example.com"
    made = await invite(client, acme, crew["admin"], email)
    assert (made.status_code, made.json()["mailed"]) == (201, False)
    token = token_in(letters(email)[-1])
    assert made.json()["link"].endswith(f"/invite/{token}")
    shown = (await client.post("/invitations/show", json={"token": token})).json()
    assert shown == {
        "org": "Acme Inc.",
        "email": email,
        "role": "editor",
        "invited_by": crew["admin"].email,
        "has_account": False,
    }
    weak = await client.post("/invitations/accept", json={"token": token, "password": "short"})
    assert weak.status_code == 422
    given = {"token": token, "password": "a long enough one", "name": "Sam"}
    joined = await client.post("/invitations/accept", json=given)
    assert joined.json()["orgs"] == [{"slug": acme.slug, "name": "Acme Inc.", "role": "editor"}]
    client.cookies.clear()
    for path in ("accept", "show"):
        replay = await client.post(
            f"/invitations/{path}", json=given if path == "accept" else {"token": token}
        )
        assert (replay.status_code, replay.json()["code"]) == (410, "gone")


async def test_known_person_accepts_signed_in_as_themself_only(client, acme, crew, register):
    known, other = await register(), await register()
    await invite(client, acme, crew["owner"], known.email, "admin")
    given = {"token": token_in(letters(known.email)[-1])}
    nobody = await client.post("/invitations/accept", json=given)
    assert (nobody.status_code, nobody.json()["remedy"][:7]) == (401, "Sign in")
    wrong = await client.post("/invitations/accept", json=given, headers=other.headers)
    assert (wrong.status_code, wrong.json()["code"]) == (403, "other_account")
    right = await client.post("/invitations/accept", json=given, headers=known.headers)
    assert [org["role"] for org in right.json()["orgs"]] == ["admin"]


async def test_of_two_who_accept_at_once_one_joins(client, acme, crew):
    email = f"twice-{uuid4().hex[:8]}@example.com"
    await invite(client, acme, crew["admin"], email)
    given = {"token": token_in(letters(email)[-1]), "password": "a long enough one"}
    answers = await asyncio.gather(
        *(client.post("/invitations/accept", json=given) for _ in range(2))
    )
    codes = sorted(one.status_code for one in answers)
    assert codes[0] == 200
    assert codes[1] in (409, 410)


async def test_resent_invitation_ends_the_first_link(client, acme, crew):
    email = f"again-{uuid4().hex[:8]}@example.com"
    made = (await invite(client, acme, crew["admin"], email)).json()
    path = f"/orgs/{acme.slug}/invitations/{made['id']}"
    again = await client.post(f"{path}/resend", headers=crew["admin"].headers)
    assert again.status_code == 200
    old, new = (token_in(letter) for letter in letters(email))
    assert (await client.post("/invitations/show", json={"token": old})).status_code == 404
    assert (await client.post("/invitations/show", json={"token": new})).status_code == 200
    assert (await client.delete(path, headers=crew["admin"].headers)).status_code == 204
    assert (await client.post("/invitations/show", json={"token": new})).status_code == 410
    listed = await client.get(f"/orgs/{acme.slug}/invitations", headers=crew["admin"].headers)
    assert listed.json()["items"] == []


async def test_expired_invitation_is_gone(client, acme, crew):
    email = f"late-{uuid4().hex[:8]}@example.com"
    await invite(client, acme, crew["admin"], email)
    async with get_session() as session:
        late = "UPDATE invitations SET expires_at = :now WHERE email = :email"
        await session.execute(text(late), {"now": clock.now(), "email": email})
    token = token_in(letters(email)[-1])
    assert (await client.post("/invitations/show", json={"token": token})).status_code == 410


@pytest.mark.parametrize("second", ["member", "invited"])
async def test_nobody_is_invited_twice(client, acme, crew, second):
    email = crew["viewer"].email if second == "member" else f"x-{uuid4().hex[:8]}@example.com"
    if second == "invited":
        await invite(client, acme, crew["admin"], email)
    assert (await invite(client, acme, crew["admin"], email)).status_code == 409


async def test_admin_cannot_invite_an_owner(client, acme, crew):
    refused = await invite(client, acme, crew["admin"], "boss@example.com", "owner")
    assert (refused.status_code, refused.json()["where"]["needs"]) == (403, "owner")


async def test_link_is_stored_as_a_digest_only(client, acme, crew):
    email = f"hash-{uuid4().hex[:8]}@example.com"
    token = (await invite(client, acme, crew["admin"], email)).json()["link"].split("/")[-1]
    async with get_session() as session:
        queries = ("invitations", "audit_events")
        dumps = [
            await session.scalar(text(f"SELECT string_agg(t::text, ',') FROM {name} t"))
            for name in queries
        ]
    assert not any(token in (dump or "") for dump in dumps)


async def make_token(client, person, **limits):
    answer = await client.post("/tokens", headers=person.headers, json={"name": "ci"} | limits)
    assert answer.status_code == 201, answer.text
    return answer.json(), {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_token_is_shown_once_listed_without_it_and_revoked(client, acme, crew):
    made, headers = await make_token(client, crew["editor"])
    assert made["token"].startswith("etlf_")
    listed = (await client.get("/tokens", headers=crew["editor"].headers)).json()["items"]
    assert any(one["id"] == made["id"] for one in listed)
    assert made["token"] not in str(listed)
    path = f"/orgs/{acme.slug}"
    assert (await client.get(path, headers=headers)).status_code == 200
    gone = await client.delete(f"/tokens/{made['id']}", headers=crew["editor"].headers)
    assert gone.status_code == 204
    assert (await client.get(path, headers=headers)).status_code == 401


async def test_token_opens_only_its_org(client, acme, crew, people):
    owner = crew["owner"]
    other = await orgs.create(OPERATOR, f"other_{uuid4().hex[:8]}", "Other")
    async with get_session() as session:
        add = """
            INSERT INTO memberships (id, org_id, user_id, role)
            SELECT gen_random_uuid(), :org, id, 'owner' FROM users WHERE email = :email
        """
        await session.execute(text(add), {"org": other.id, "email": owner.email})
    _, headers = await make_token(client, owner, org=acme.slug)
    assert (await client.get(f"/orgs/{acme.slug}", headers=headers)).status_code == 200
    assert (await client.get(f"/orgs/{other.slug}", headers=owner.headers)).status_code == 200
    assert (await client.get(f"/orgs/{other.slug}", headers=headers)).status_code == 404
    slugs = [one["slug"] for one in (await client.get("/orgs", headers=headers)).json()["items"]]
    assert slugs == [acme.slug]


async def test_token_does_no_more_than_its_role(client, acme, crew):
    _, headers = await make_token(client, crew["owner"], role="viewer")
    refused = await client.get(f"/orgs/{acme.slug}/audit", headers=headers)
    assert (refused.status_code, refused.json()["where"]["role"]) == (403, "viewer")


async def test_ceiling_never_lifts_a_member(client, acme, crew):
    _, headers = await make_token(client, crew["viewer"], role="owner")
    assert (await client.get(f"/orgs/{acme.slug}/audit", headers=headers)).status_code == 403


async def test_read_only_token_reads_what_its_owner_may_and_changes_nothing(client, acme, crew):
    _, headers = await make_token(client, crew["owner"], read_only=True)
    assert (await client.get(f"/orgs/{acme.slug}/audit", headers=headers)).status_code == 200
    given = {"email": "x@example.com", "role": "viewer"}
    path = f"/orgs/{acme.slug}/invitations"
    assert (await client.post(path, headers=headers, json=given)).status_code == 403


async def test_limited_token_of_an_operator_is_no_operator(client, people):
    _, headers = await make_token(client, people.operator, read_only=True)
    assert (await client.get("/users", headers=headers)).status_code == 403
    assert (await client.get(f"/orgs/{people.org.slug}", headers=headers)).status_code == 404


async def test_limited_token_creates_no_token_and_changes_no_account(client, crew):
    _, headers = await make_token(client, crew["owner"], role="viewer")
    given = {"current_password": crew["owner"].password, "new_password": "another long one"}
    for answer in (
        await client.post("/tokens", headers=headers, json={"name": "more"}),
        await client.post("/auth/password", headers=headers, json=given),
    ):
        assert answer.status_code == 403


async def test_admin_sees_and_ends_tokens_bound_to_the_org(client, acme, crew, people):
    made, headers = await make_token(client, crew["editor"], org=acme.slug)
    path = f"/orgs/{acme.slug}/tokens"
    listed = (await client.get(path, headers=crew["admin"].headers)).json()["items"]
    assert made["id"] in {one["id"] for one in listed}
    foreign = f"/orgs/{people.org.slug}/tokens/{made['id']}"
    assert (await client.delete(foreign, headers=people.owner.headers)).status_code == 404
    ended = await client.delete(f"{path}/{made['id']}", headers=crew["admin"].headers)
    assert ended.status_code == 204
    assert (await client.get(f"/orgs/{acme.slug}", headers=headers)).status_code == 401


async def test_somebody_elses_token_cannot_be_revoked(client, crew):
    made, _ = await make_token(client, crew["editor"])
    answer = await client.delete(f"/tokens/{made['id']}", headers=crew["owner"].headers)
    assert answer.status_code == 404
