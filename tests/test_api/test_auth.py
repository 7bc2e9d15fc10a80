"""Signing in and out over HTTP."""

from __future__ import annotations

import pytest


async def test_login_opens_and_logout_closes(client, register):
    person = await register()
    given = {"email": person.email, "password": person.password}
    signed_in = await client.post("/auth/login", json=given)
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    client.cookies.clear()
    assert (await client.get("/auth/me", headers=headers)).json()["email"] == person.email
    assert (await client.post("/auth/logout", headers=headers)).status_code == 204
    refused = await client.get("/auth/me", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_me_lists_orgs_with_roles(client, people):
    found = (await client.get("/auth/me", headers=people.editor.headers)).json()
    assert [(org["slug"], org["role"]) for org in found["orgs"]] == [(people.org.slug, "editor")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer etlf_x"},
        {"Authorization": "Basic YTpi"},
        {"Cookie": "etlfabric=x"},
    ],
    ids=["nothing", "empty", "unknown token", "basic", "unknown cookie"],
)
async def test_unknown_credentials_are_refused(client, headers):
    answer = await client.get("/orgs", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    "origin", [None, "https://evil.example", "null", "http://api.test.evil.example", "//api.test"]
)
async def test_cookie_from_another_site_changes_nothing(client, register, origin):
    person = await register()
    given = {"email": person.email, "password": person.password}
    cookie = (await client.post("/auth/login", json=given)).cookies["etlfabric"]
    client.cookies.clear()
    headers = {"Cookie": f"etlfabric={cookie}"} | ({"Origin": origin} if origin else {})
    answer = await client.post("/auth/logout", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")
    own = {"Cookie": f"etlfabric={cookie}", "Origin": "http://api.test"}
    assert (await client.post("/auth/logout", headers=own)).status_code == 204


async def test_cookie_cannot_be_read_by_pages_or_sent_by_other_sites(client, register):
    person = await register()
    given = {"email": person.email, "password": person.password}
    cookie = (await client.post("/auth/login", json=given)).headers["set-cookie"].lower()
    client.cookies.clear()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
