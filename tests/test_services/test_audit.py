"""The audit log: complete, without secrets, and tampering is named."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import InvalidInputError, PermissionDeniedError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import audit, connections, erasures
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope

CONFIG = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}


async def events(slug):
    async with org_scope(OPERATOR, slug) as scope:
        return list(reversed((await audit.list_events(scope, limit=200)).items))


async def edit(statement, **values):
    """As somebody who holds the platform's login and knows of the trigger."""
    async with get_session() as session:
        await session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        await session.execute(text(statement), values)
        await session.execute(text("ALTER TABLE audit_events ENABLE TRIGGER ALL"))


@pytest.fixture
async def changed(org):
    """An org with four events."""
    async with org_scope(OPERATOR, org.slug) as scope:
        await connections.create(scope, "crm", "rest_api", CONFIG)
        other = CONFIG | {"resources": ["items"]}
        await connections.update(scope, "crm", config=other, secrets=None)
        await connections.delete(scope, "crm")
    yield org
    await erasures.erase(OPERATOR, org.slug)  # what was tampered with must not outlive the test
    async with get_session() as session:
        await session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        for table, column in (("audit_events", "chain"), ("audit_chains", "id")):
            await session.execute(text(f"DELETE FROM {table} WHERE {column} = :id"), {"id": org.id})
        await session.execute(text("ALTER TABLE audit_events ENABLE TRIGGER ALL"))


async def broken(org):
    """What a verification says of this org."""
    report = await audit.verify(OPERATOR)
    return [one for one in report.broken if one.org == org.slug]


async def test_every_change_is_one_event_with_what_changed(changed):
    found = await events(changed.slug)
    assert [one.action for one in found] == [
        *("orgs.create", "connections.create", "connections.update", "connections.delete")
    ]
    update = found[2]
    assert (update.actor, update.via, update.target) == ("operator", "cli", "connections/crm")
    assert update.before == {"config": CONFIG}
    assert update.after == {"config": CONFIG | {"resources": ["items"]}, "replaced_secrets": []}


async def test_refused_change_leaves_no_event(org):
    with pytest.raises(InvalidInputError):
        async with org_scope(OPERATOR, org.slug) as scope:
            await connections.create(scope, "Bad Name", "rest_api", CONFIG)
    assert [one.action for one in await events(org.slug)] == ["orgs.create"]


async def test_secrets_never_reach_the_log(org):
    config = {
        "dialect": "postgresql",
        "host": "db.example.com",
        "database": "shop",
        "username": "reader",
    }
    async with org_scope(OPERATOR, org.slug) as scope:
        await connections.create(scope, "shop", "sql_database", config, {"password": "canary-pw"})
        await connections.update(scope, "shop", secrets={"password": "canary-two"})
        facts = {"password": "canary-three", "deep": [{"api_key": "canary-four"}]}
        await audit.record(scope, "connections.update", "connections/shop", after=facts)
    async with get_session() as session:
        dump = await session.scalar(text("SELECT string_agg(payload, ' ') FROM audit_events"))
    assert "canary" not in dump
    replaced = [one.after.get("replaced_secrets") for one in await events(org.slug) if one.after]
    assert ["password"] in replaced


async def test_changes_at_once_make_one_unbroken_chain(org):
    async def change(number):
        async with org_scope(OPERATOR, org.slug) as scope:
            await audit.record(scope, "orgs.update", f"orgs/{number}")

    await asyncio.gather(*(change(number) for number in range(8)))
    assert [one.seq for one in await events(org.slug)] == list(range(1, 10))
    assert await broken(org) == []


async def test_untouched_log_verifies(changed):
    assert await broken(changed) == []


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit_events SET payload = replace(payload, 'crm', 'erp')", "payload was edited"),
        ("UPDATE audit_events SET payload = NULL", "payload is missing"),
        ("UPDATE audit_events SET action = 'runs.start'", "it was edited"),
        ("UPDATE audit_events SET at = at - interval '1 day'", "it was edited"),
        ("UPDATE audit_events SET actor_id = id", "it was edited"),
        ("DELETE FROM audit_events", "missing"),
    ],
    ids=["payload", "nulled payload", "action", "time", "actor", "deleted"],
)
async def test_tampered_event_is_named(changed, statement, reason):
    await edit(f"{statement} WHERE chain = :chain AND seq = 2", chain=changed.id)
    (found,) = await broken(changed)
    assert reason in found.reason
    assert found.seq == (3 if "DELETE" in statement else 2)
    assert (found.event_id, found.action) != (None, None)


async def test_cut_end_of_a_chain_is_noticed(changed):
    await edit("DELETE FROM audit_events WHERE chain = :chain AND seq >= 3", chain=changed.id)
    (found,) = await broken(changed)
    assert (found.seq, found.reason) == (3, "events at the end are missing")


async def test_payload_edited_together_with_its_digest_is_noticed(changed):
    statement = """
        UPDATE audit_events SET payload = '{}', payload_digest = sha256('{}'::bytea)
        WHERE chain = :chain AND seq = 2
    """
    await edit(statement, chain=changed.id)
    assert [one.seq for one in await broken(changed)] == [2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'x'",
        "UPDATE audit_events SET payload = '{}'",
        "UPDATE audit_events SET payload = NULL, action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
    ],
)
async def test_table_takes_inserts_only(org, statement):
    with pytest.raises(DBAPIError, match="insert-only"):
        async with get_session() as session:
            await session.execute(text(statement))


async def test_erase_nulls_what_events_told_and_the_chain_still_holds(org):
    async with org_scope(OPERATOR, org.slug) as scope:
        await connections.create(scope, "secret_customer", "rest_api", CONFIG)
    await erasures.erase(OPERATOR, org.slug)
    query = text("SELECT count(*), count(payload) FROM audit_events WHERE chain = :chain")
    async with get_session() as session:
        kept, told = (await session.execute(query, {"chain": org.id})).one()
        dump = await session.scalar(text("SELECT string_agg(payload, ' ') FROM audit_events"))
    assert (kept, told) == (2, 0)
    assert "secret_customer" not in dump
    broken = {one.org for one in (await audit.verify(OPERATOR)).broken}
    assert None not in broken  # an org that is gone has no slug
    erased = (await audit.list_platform(OPERATOR)).items[0]
    assert (erased.action, erased.target) == ("orgs.erase", f"orgs/{org.slug}")


async def test_list_filters_and_pages(changed):
    async with org_scope(OPERATOR, changed.slug) as scope:
        first = await audit.list_events(scope, action="connections", limit=2)
        rest = await audit.list_events(scope, action="connections", limit=2, cursor=first.next)
        assert [one.seq for one in (*first.items, *rest.items)] == [4, 3, 2]
        assert rest.next is None
        one = await audit.list_events(scope, action="connections.update")
        assert [event.action for event in one.items] == ["connections.update"]
        with pytest.raises(InvalidInputError):
            await audit.list_events(scope, cursor="x")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
async def test_log_is_for_admins(org, scope, role):
    limited = type(scope)(scope.session, org.id, org.slug, scope.status, Actor("x"), role)
    with pytest.raises(PermissionDeniedError):
        await audit.list_events(limited)


async def test_only_operators_verify(org):
    with pytest.raises(PermissionDeniedError):
        await audit.verify(Actor("x"))


async def test_payload_cannot_be_guessed_from_its_digest(org):
    """Two equal changes have different digests: each payload holds a salt of its own."""
    async with org_scope(OPERATOR, org.slug) as scope:
        for _ in range(2):
            await audit.record(scope, "orgs.update", "orgs/same")
    query = text("SELECT payload, payload_digest FROM audit_events WHERE chain = :c AND seq > 1")
    async with get_session() as session:
        (one, first), (two, second) = await session.execute(query, {"c": org.id})
    assert {**json.loads(one), "salt": ""} == {**json.loads(two), "salt": ""}
    assert first != second


async def test_admins_verify_the_chain_of_their_own_org(changed):
    async with org_scope(OPERATOR, changed.slug) as scope:
        found = await audit.verify_own(scope)
    assert found.ok
    assert found.chains == 1
    assert found.events > 0


async def test_own_chain_that_was_tampered_with_is_named(changed):
    await edit("UPDATE audit_events SET action = 'x' WHERE chain = :c AND seq = 2", c=changed.id)
    async with org_scope(OPERATOR, changed.slug) as scope:
        found = await audit.verify_own(scope)
    assert not found.ok
    assert (found.broken[0].org, found.broken[0].seq) == (changed.slug, 2)
