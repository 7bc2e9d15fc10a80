"""Orgs over HTTP: who sees which, and who may change them."""

from __future__ import annotations

import pytest

from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR


@pytest.mark.parametrize("role", ["viewer", "editor", "admin", "owner"])
async def test_member_sees_their_org_only(client, people, role):
    page = (await client.get("/orgs", headers=people[role].headers)).json()
    assert [org["slug"] for org in page["items"]] == [people.org.slug]
    assert page["next"] is None


async def test_foreign_org_reads_like_a_missing_one(client, people):
    foreign = await client.get(f"/orgs/{people.foreign.slug}", headers=people.owner.headers)
    missing = await client.get("/orgs/org_nobody_has", headers=people.owner.headers)
    assert (foreign.status_code, missing.status_code) == (404, 404)

    def facts(answer, slug):
        return {k: v for k, v in answer.json().items() if k != "request_id"} | {
            "detail": answer.json()["detail"].replace(slug, "…"),
            "where": None,
        }

    assert facts(foreign, people.foreign.slug) == facts(missing, "org_nobody_has")


async def test_operator_pages_through_all_orgs(client, people):
    seen, cursor = [], None
    while True:
        page = (
            await client.get(
                "/orgs",
                headers=people.operator.headers,
                params={"limit": 1} | ({"cursor": cursor} if cursor else {}),
            )
        ).json()
        seen += [org["slug"] for org in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert {people.org.slug, people.foreign.slug} <= set(seen)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("role", ["viewer", "owner"])
async def test_only_operators_suspend(client, people, role):
    path = f"/orgs/{people.org.slug}/suspend"
    answer = await client.post(path, headers=people[role].headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_operator_creates_suspends_and_resumes(client, people, make_slug):
    slug, headers = make_slug(), people.operator.headers
    made = await client.post("/orgs", headers=headers, json={"slug": slug, "name": "Acme"})
    assert (made.status_code, made.json()["status"]) == (201, "active")
    again = await client.post("/orgs", headers=headers, json={"slug": slug, "name": "Acme"})
    assert (again.status_code, again.json()["where"]) == (409, {"org": slug})
    asleep = await client.post(f"/orgs/{slug}/suspend", headers=headers)
    assert asleep.json()["status"] == "suspended"
    awake = await client.post(f"/orgs/{slug}/resume", headers=headers)
    assert awake.json()["status"] == "active"
    assert (await orgs.get(OPERATOR, slug)).name == "Acme"
