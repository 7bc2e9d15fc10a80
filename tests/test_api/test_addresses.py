"""Proving an address: at sign-up, for a new one, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import EmailClaim
from etlfabric_dagster.testing import free_port
from tests.smtp import Inbox, smtp_server
from tests.test_api.mailbox import letters, token_in

PASSWORD = "a long enough one"


@pytest.fixture
def inbox(monkeypatch) -> Iterator[Inbox]:
    """Letters leave by a mail server from now on."""
    with smtp_server() as (inbox, at):
        monkeypatch.setattr(settings, "smtp_url", SecretStr(f"smtp://{at}"))
        yield inbox


@pytest.fixture
async def ana(client, make_slug) -> dict[str, str]:
    """Somebody who signed up: slug, email and headers."""
    slug, email = make_slug(), f"{make_slug()}@example.com"
    given = {"email": email, "password": PASSWORD, "org_name": "Acme", "slug": slug}
    made = await client.post("/auth/signup", json=given)
    assert made.status_code == 201, made.text
    client.cookies.clear()
    return {"slug": slug, "email": email, "Authorization": f"Bearer {made.json()['access_token']}"}


def headers(person: dict[str, str]) -> dict[str, str]:
    return {"Authorization": person["Authorization"]}


async def me(client, person) -> dict[str, object]:
    return (await client.get("/auth/me", headers=headers(person))).json()


async def test_letter_of_the_sign_up_proves_the_address_once(client, ana):
    assert not (await me(client, ana))["email_verified"]
    token = token_in(letters(ana["email"])[-1])
    assert (await client.post("/auth/verify", json={"token": token})).status_code == 204
    assert (await me(client, ana))["email_verified"]
    replay = await client.post("/auth/verify", json={"token": token})
    assert (replay.status_code, replay.json()["code"]) == (410, "gone")


async def test_another_letter_ends_nothing_and_either_proves(client, ana):
    asked = await client.post("/auth/verify/letter", headers=headers(ana))
    assert (asked.status_code, asked.content) == (202, b"")
    first, second = (token_in(letter) for letter in letters(ana["email"]))
    assert (await client.post("/auth/verify", json={"token": first})).status_code == 204
    assert (await client.post("/auth/verify", json={"token": second})).status_code == 410


async def test_verified_person_gets_no_letter(client, register):
    person = await register()  # by an operator, who vouches
    await client.post("/auth/verify/letter", headers=person.headers)
    assert (await me(client, person.headers))["email_verified"]
    assert letters(person.email) == []


async def test_letters_are_few(client, ana):
    for _ in range(5):
        await client.post("/auth/verify/letter", headers=headers(ana))
    sixth = await client.post("/auth/verify/letter", headers=headers(ana))
    assert (sixth.status_code, sixth.json()["code"]) == (429, "rate_limited")


async def test_unverified_person_works_but_has_nobody_written_to(client, ana, inbox):
    below = f"/orgs/{ana['slug']}"
    invited = {"email": "b@example.com", "role": "viewer"}
    channel = {"name": "ops", "kind": "email", "to": ["b@example.com"]}
    for path, body in (("invitations", invited), ("alerts/channels", channel)):
        answer = await client.post(f"{below}/{path}", headers=headers(ana), json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "email_unverified")
        assert answer.json()["remedy"]
    config = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}
    body = {"name": "crm", "connector": "rest_api", "config": config}
    made = await client.post(f"{below}/connections", headers=headers(ana), json=body)
    assert made.status_code == 201
    to_self = channel | {"to": [ana["email"]]}
    made = await client.post(f"{below}/alerts/channels", headers=headers(ana), json=to_self)
    assert made.status_code == 201
    token = token_in(letters(ana["email"])[-1])
    assert (await client.post("/auth/verify", json={"token": token})).status_code == 204
    made = await client.post(f"{below}/invitations", headers=headers(ana), json=invited)
    assert made.status_code == 201


async def test_without_mail_nobody_is_asked_for_a_proof(client, ana):
    invited = {"email": "c@example.com", "role": "viewer"}
    path = f"/orgs/{ana['slug']}/invitations"
    made = await client.post(path, headers=headers(ana), json=invited)
    assert made.status_code == 201


async def ask_for(client, person, email) -> httpx.Response:
    given = {"email": email, "current_password": PASSWORD}
    return await client.post("/auth/email", headers=headers(person), json=given)


async def test_new_address_counts_when_its_letter_is_opened(client, ana, make_slug, inbox):
    new = f"{make_slug()}@example.com"
    asked = (await ask_for(client, ana, new.upper())).json()
    assert (asked["email"], asked["new_email"]) == (ana["email"], new)
    old_letter = token_in(letters(ana["email"])[-1])
    assert inbox.letters[-1]["To"] == new
    token = token_in(inbox.letters[-1])
    assert (await client.post("/auth/verify", json={"token": token})).status_code == 204
    found = await me(client, ana)
    assert (found["email"], found["email_verified"], found["new_email"]) == (new, True, None)
    assert inbox.letters[-1]["To"] == ana["email"]
    assert new in inbox.letters[-1].get_payload()
    assert (await client.post("/auth/verify", json={"token": old_letter})).status_code == 410
    sign_in = {"email": new, "password": PASSWORD}
    assert (await client.post("/auth/login", json=sign_in)).status_code == 200
    sign_in["email"] = ana["email"]
    assert (await client.post("/auth/login", json=sign_in)).status_code == 401


async def test_without_mail_a_new_address_counts_at_once_and_is_not_proved(client, ana, make_slug):
    new = f"{make_slug()}@example.com"
    token = token_in(letters(ana["email"])[-1])
    assert (await client.post("/auth/verify", json={"token": token})).status_code == 204
    changed = (await ask_for(client, ana, new)).json()
    assert (changed["email"], changed["email_verified"]) == (new, False)
    assert new in letters(ana["email"])[-1].get_content()


async def test_letter_that_cannot_be_sent_is_told(client, ana, make_slug, monkeypatch):
    monkeypatch.setattr(settings, "smtp_url", SecretStr(f"smtp://127.0.0.1:{free_port()}"))
    refused = await ask_for(client, ana, f"{make_slug()}@example.com")
    assert (refused.status_code, refused.json()["code"]) == (503, "mail")


async def test_address_taken_meanwhile_is_refused(client, ana, make_slug, inbox):
    new = f"{make_slug()}@example.com"
    assert (await ask_for(client, ana, new)).status_code == 200
    token = token_in(inbox.letters[-1])
    signup = {"email": new, "password": PASSWORD, "org_name": "B", "slug": make_slug()}
    assert (await client.post("/auth/signup", json=signup)).status_code == 201
    client.cookies.clear()
    refused = await client.post("/auth/verify", json={"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await me(client, ana))["email"] == ana["email"]


async def test_change_needs_the_password_and_an_address(client, ana):
    wrong = {"email": "d@example.com", "current_password": "wrong"}
    refused = await client.post("/auth/email", headers=headers(ana), json=wrong)
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_password")
    for email in ("nothing", ana["email"], "a@b\nBcc: c@d"):
        given = {"email": email, "current_password": PASSWORD}
        refused = await client.post("/auth/email", headers=headers(ana), json=given)
        assert (refused.status_code, refused.json()["where"]) == (422, {"field": "email"})


async def test_expired_letter_proves_nothing(client, ana):
    token = token_in(letters(ana["email"])[-1])
    async with get_session() as session:
        expired = update(EmailClaim).where(EmailClaim.email == ana["email"])
        await session.execute(expired.values(expires_at=clock.now()))
    assert (await client.post("/auth/verify", json={"token": token})).status_code == 410


async def test_reset_by_letter_proves_the_address_too(client, ana):
    await client.post("/auth/forgot", json={"email": ana["email"]})
    given = {"token": token_in(letters(ana["email"])[-1]), "password": "another long one"}
    assert (await client.post("/auth/reset", json=given)).status_code == 204
    signed_in = await client.post(
        "/auth/login", json={"email": ana["email"], "password": "another long one"}
    )
    client.cookies.clear()
    again = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    assert (await me(client, again))["email_verified"]
