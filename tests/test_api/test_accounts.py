"""Accounts: sign-up, refresh, passwords, letters, throttles, one-time codes."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import RateLimitedError
from etlfabric_dagster.security import passwords
from etlfabric_dagster.services import mail, sessions, throttle, users
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_api.mailbox import letters, token_in


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def login(client, person, password=None):
    given = {"email": person.email, "password": password or person.password}
    answer = await client.post("/auth/login", json=given)
    client.cookies.clear()
    return answer


async def test_sign_up_makes_a_person_and_their_org(client, make_slug):
    slug, email = make_slug(), f"{make_slug()}@Example.com"
    given = {"email": email, "password": "a long enough one", "org_name": "Acme", "slug": slug}
    made = await client.post("/auth/signup", json=given | {"name": "Ana"})
    assert made.status_code == 201
    me = (await client.get("/auth/me", headers=bearer(made.json()["access_token"]))).json()
    assert (me["email"], me["name"]) == (email.lower(), "Ana")
    assert me["orgs"] == [{"slug": slug, "name": "Acme", "role": "owner"}]
    again = await client.post("/auth/signup", json=given | {"slug": make_slug()})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_taken_slug_leaves_no_account_behind(client, people, make_slug):
    email = f"{make_slug()}@example.com"
    given = {"email": email, "password": "a long enough one", "org_name": "Acme"}
    refused = await client.post("/auth/signup", json=given | {"slug": people.org.slug})
    assert (refused.status_code, refused.json()["where"]) == (409, {"org": people.org.slug})
    free = await client.post("/auth/signup", json=given | {"slug": make_slug()})
    assert free.status_code == 201


async def test_closed_install_takes_nobody(client, make_slug, monkeypatch):
    monkeypatch.setattr(settings, "signup", False)
    given = {"email": "a@example.com", "password": "a long enough one", "org_name": "A"}
    answer = await client.post("/auth/signup", json=given | {"slug": make_slug()})
    assert (answer.status_code, answer.json()["code"]) == (403, "signup_closed")


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "x" * 257, "Same@Example.com"])
async def test_weak_password_is_refused_with_its_field(client, make_slug, password):
    given = {"email": "same@example.com", "password": password, "org_name": "A"}
    answer = await client.post("/auth/signup", json=given | {"slug": make_slug()})
    assert (answer.status_code, answer.json()["where"]) == (422, {"field": "password"})
    assert password not in answer.text


async def test_refresh_rotates_and_a_copied_token_ends_the_session(client, register):
    first = (await login(client, await register())).json()
    second = await client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert second.status_code == 200
    headers = bearer(second.json()["access_token"])
    assert (await client.get("/auth/me", headers=headers)).status_code == 200
    copied = await client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert copied.status_code == 401
    client.cookies.clear()
    assert (await client.get("/auth/me", headers=headers)).status_code == 401
    last = {"refresh_token": second.json()["refresh_token"]}
    assert (await client.post("/auth/refresh", json=last)).status_code == 401


async def test_one_of_two_refreshes_at_once_wins(client, register):
    token = (await login(client, await register())).json()["refresh_token"]
    answers = await asyncio.gather(
        *(client.post("/auth/refresh", json={"refresh_token": token}) for _ in range(2))
    )
    assert sorted(one.status_code for one in answers) == [200, 401]


async def test_tokens_are_stored_as_digests_only(client, register):
    signed_in = (await login(client, await register())).json()
    async with get_session() as session:
        dump = await session.scalar(text("SELECT string_agg(s::text, ',') FROM sessions s"))
    assert signed_in["refresh_token"] not in dump
    assert signed_in["access_token"] not in dump


async def test_change_of_password_ends_the_other_sessions(client, register):
    person = await register()
    here, there = [(await login(client, person)).json()["access_token"] for _ in range(2)]
    given = {"current_password": "wrong", "new_password": "another long one"}
    refused = await client.post("/auth/password", headers=bearer(here), json=given)
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_password")
    given["current_password"] = person.password
    changed = await client.post("/auth/password", headers=bearer(here), json=given)
    assert changed.status_code == 204
    assert (await client.get("/auth/me", headers=bearer(here))).status_code == 200
    assert (await client.get("/auth/me", headers=bearer(there))).status_code == 401
    assert (await login(client, person)).status_code == 401
    assert (await login(client, person, "another long one")).status_code == 200


async def test_one_time_password_opens_nothing_but_its_change(client, register, people):
    person = await register(operator=True)
    once = await users.one_time_password(OPERATOR, person.email)
    signed_in = (await login(client, person, once)).json()
    headers = bearer(signed_in["access_token"])
    assert signed_in["must_change_password"]
    for path in ("/orgs", f"/orgs/{people.org.slug}", "/users"):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "password_change_required")
    assert (await client.get("/auth/me", headers=headers)).json()["must_change_password"]
    given = {"current_password": once, "new_password": "one of my own now"}
    assert (await client.post("/auth/password", headers=headers, json=given)).status_code == 204
    assert (await client.get("/users", headers=headers)).status_code == 200


async def test_reset_works_once_and_signs_out_everywhere(client, register):
    person = await register()
    before = (await login(client, person)).json()["access_token"]
    assert (await client.post("/auth/forgot", json={"email": person.email})).status_code == 202
    token = token_in(letters(person.email)[-1])
    given = {"token": token, "password": "a brand new one"}
    weak = await client.post("/auth/reset", json=given | {"password": "short"})
    assert weak.status_code == 422
    assert (await client.post("/auth/reset", json=given)).status_code == 204
    assert (await client.get("/auth/me", headers=bearer(before))).status_code == 401
    assert (await login(client, person, "a brand new one")).status_code == 200
    replay = await client.post("/auth/reset", json=given)
    assert (replay.status_code, replay.json()["code"]) == (410, "gone")


async def test_newer_reset_ends_the_older_ones(client, register):
    person = await register()
    for _ in range(2):
        await client.post("/auth/forgot", json={"email": person.email})
    old, new = (token_in(letter) for letter in letters(person.email))
    given = {"password": "a brand new one"}
    assert (await client.post("/auth/reset", json=given | {"token": new})).status_code == 204
    assert (await client.post("/auth/reset", json=given | {"token": old})).status_code == 410


async def test_forgot_answers_alike_for_an_unknown_address(client, register):
    known, unknown = (await register()).email, "nobody@example.com"
    answers = [await client.post("/auth/forgot", json={"email": e}) for e in (known, unknown)]
    assert len({(one.status_code, one.content) for one in answers}) == 1
    assert letters(unknown) == []


async def test_letter_and_mailbox_are_private(client, register):
    person = await register()
    await client.post("/auth/forgot", json={"email": person.email})
    newest = max(mail.mailbox().glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    assert newest.stat().st_mode & 0o077 == 0
    assert newest.parent.stat().st_mode & 0o077 == 0
    token = token_in(letters(person.email)[-1])
    async with get_session() as session:
        dump = await session.scalar(text("SELECT string_agg(r::text, ',') FROM password_resets r"))
    assert token not in dump


async def test_disabled_person_is_shut_out_at_once(client, register):
    person = await register()
    token = (await login(client, person)).json()["access_token"]
    await users.set_disabled(OPERATOR, person.email, disabled=True)
    for headers in (bearer(token), person.headers):
        assert (await client.get("/auth/me", headers=headers)).status_code == 401
    assert (await login(client, person)).status_code == 401


async def test_sign_out_everywhere(client, register):
    person = await register()
    one, two = [(await login(client, person)).json()["access_token"] for _ in range(2)]
    listed = (await client.get("/auth/sessions", headers=bearer(one))).json()["items"]
    assert [item["current"] for item in listed] == [False, True]
    assert (await client.delete("/auth/sessions", headers=bearer(one))).status_code == 204
    assert (await client.get("/auth/me", headers=bearer(two))).status_code == 401


async def test_code_of_the_panel_sets_the_cookie_once(client, register):
    person = await register()
    grant = await sessions.sign_in(person.email, person.password, "api")
    code = await sessions.issue_code(grant.session_id)
    origin = {"Origin": "http://api.test"}
    foreign = await client.post(
        "/auth/exchange", json={"code": code}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    first = await client.post("/auth/exchange", json={"code": code}, headers=origin)
    cookie = {"Cookie": f"etlfabric={first.cookies['etlfabric']}"}
    client.cookies.clear()
    assert (await client.get("/auth/me", headers=cookie)).json()["email"] == person.email
    assert (
        await client.post("/auth/exchange", json={"code": code}, headers=origin)
    ).status_code == 401


async def test_guesses_are_throttled_before_any_work(client, register, monkeypatch):
    person, compared = await register(), 0
    real = passwords.matches

    async def counted(stored, password):
        nonlocal compared
        compared += 1
        return await real(stored, password)

    monkeypatch.setattr("etlfabric_dagster.security.passwords.matches", counted)
    given = {"email": person.email}
    answers = [
        await client.post("/auth/login", json=given | {"password": f"guess number {n}"})
        for n in range(15)
    ]
    assert [one.status_code for one in answers] == [401] * 10 + [429] * 5
    assert compared == 10
    assert 0 < int(answers[-1].headers["retry-after"]) <= 15 * 60
    assert answers[-1].json()["detail"].startswith("Too many tries to sign in")
    right = await client.post("/auth/login", json=given | {"password": person.password})
    assert right.status_code == 429


async def test_ten_thousand_guesses_get_ten_tries(migrated):
    async def guess() -> bool:
        try:
            await throttle.count_sign_in("victim@example.com", "")
        except RateLimitedError:
            return False
        return True

    let_through = 0
    for _ in range(100):
        let_through += sum(await asyncio.gather(*(guess() for _ in range(100))))
    assert let_through == 10


async def test_success_forgives_the_tries_before_it(client, register):
    person = await register()
    for _ in range(3):
        for _ in range(5):
            assert (await login(client, person, "wrong wrong wrong")).status_code == 401
        assert (await login(client, person)).status_code == 200


async def test_unknown_people_cost_the_same_time(client, register, monkeypatch):
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())  # as dear as the product's
    passwords._nobody.cache_clear()
    person = await register()

    async def seconds(email: str) -> float:
        spent = []
        for _ in range(4):
            started = time.perf_counter()
            given = {"email": email, "password": "wrong wrong wrong"}
            assert (await client.post("/auth/login", json=given)).status_code == 401
            spent.append(time.perf_counter() - started)
        return median(spent)

    known, unknown = await seconds(person.email), await seconds("nobody@example.com")
    passwords._nobody.cache_clear()
    # without the dummy hash the unknown one takes a tenth
    assert 0.4 < unknown / known < 2.5


async def test_requests_of_one_person_are_limited(client, register, monkeypatch):
    monkeypatch.setattr(settings, "rate_limit_per_minute", 3)
    person, other = await register(), await register()
    answers = [await client.get("/auth/me", headers=person.headers) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert (answers[-1].json()["code"], answers[-1].headers["content-type"]) == (
        "rate_limited",
        "application/problem+json",
    )
    assert (await client.get("/auth/me", headers=other.headers)).status_code == 200
