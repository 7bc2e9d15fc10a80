"""Erasing an org over HTTP: the owner, the typed slug, the worker, the report."""

from __future__ import annotations

import asyncio

import pytest

from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import audit, orgs
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.tasks.erasing import erase_org
from tests.test_api.conftest import Person


@pytest.fixture
async def leaving(org, register) -> tuple[str, str, Person]:
    """An org's slug, id and owner."""
    return org.slug, str(org.id), await register(org, Role.OWNER)


@pytest.mark.parametrize("typed", [None, "", "another", "Leaving"])
async def test_nothing_happens_until_the_slug_is_typed(client, leaving, typed):
    slug, _, owner = leaving
    given = {} if typed is None else {"confirm": typed}
    refused = await client.delete(f"/orgs/{slug}", params=given, headers=owner.headers)
    assert (refused.status_code, refused.json()["where"]) == (422, {"field": "confirm"})
    assert (await orgs.get(OPERATOR, slug)).status == "active"


async def test_admin_may_not(client, org, register):
    admin = await register(org, Role.ADMIN)
    answer = await client.delete(
        f"/orgs/{org.slug}", params={"confirm": org.slug}, headers=admin.headers
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_org_is_closed_at_once_erased_by_a_worker_and_reported(client, leaving, people):
    slug, org_id, owner = leaving
    asked = await client.delete(f"/orgs/{slug}", params={"confirm": slug}, headers=owner.headers)
    assert asked.status_code == 202, asked.text
    assert asked.headers["location"] == f"/api/v1/erasures/{org_id}"
    path = f"/erasures/{org_id}"
    waiting = await client.get(path, params={"wait_s": 0}, headers=owner.headers)
    assert (waiting.status_code, waiting.json()["request"]) == (202, org_id)
    run = {"pipeline": "shop"}
    closed = await client.post(f"/orgs/{slug}/runs", headers=owner.headers, json=run)
    assert (closed.status_code, closed.json()["code"]) == (403, "org_suspended")

    await asyncio.to_thread(erase_org, org_id)

    report = await client.get(path, headers=owner.headers)
    assert report.status_code == 200
    assert (report.json()["slug"], report.json()["schemas"]) == (slug, 5)
    assert report.json()["excluded"]
    assert (await client.get(f"/orgs/{slug}", headers=owner.headers)).status_code == 404
    for other in (people.stranger, people.owner):
        assert (await client.get(path, headers=other.headers)).status_code == 404
    assert (await client.get(path, headers=people.operator.headers)).status_code == 200
    events = [e for e in (await audit.list_platform(OPERATOR)).items if e.target == f"orgs/{slug}"]
    assert [event.actor for event in events] == ["system", owner.email]
