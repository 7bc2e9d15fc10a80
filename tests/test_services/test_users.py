"""People and tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.models import ApiToken
from etlfabric_dagster.security import tokens as security
from etlfabric_dagster.services import sessions, tokens, users
from etlfabric_dagster.services.scope import OPERATOR, Actor


@pytest.fixture
async def person(migrated, make_slug):
    return await users.create(OPERATOR, f"{make_slug()}@Example.com", operator=True)


async def test_token_acts_as_its_user(person):
    token = await tokens.issue_for(OPERATOR, person.email)
    actor = await tokens.authenticate(token.token)
    assert (actor.label, actor.is_operator) == (person.email, True)


async def test_token_is_stored_as_a_hash_only(person):
    token = await tokens.issue_for(OPERATOR, person.email)
    async with get_session() as session:
        dump = await session.scalar(text("SELECT string_agg(t::text, ',') FROM api_tokens t"))
    assert token.token not in dump
    assert token.token.removeprefix(security.API_PREFIX) not in dump


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
async def test_expired_or_revoked_token_is_refused(person, column):
    token = await tokens.issue_for(OPERATOR, person.email)
    past = clock.now() - timedelta(seconds=1)
    async with get_session() as session:
        await session.execute(
            update(ApiToken).where(ApiToken.id == token.id).values({column: past})
        )
    with pytest.raises(UnauthenticatedError):
        await tokens.authenticate(token.token)


@pytest.mark.parametrize("token", ["", "etlf_", "etlf_x", "x" * 10_000, "é\x00"])
async def test_forged_token_is_refused(migrated, token):
    with pytest.raises(UnauthenticatedError):
        await tokens.authenticate(token)


async def sign_in(email, password):
    grant = await sessions.sign_in(email, password, "api")
    return await sessions.authenticate(grant.access_token, "api", sessions.ACCESS)


async def test_password_signs_in_and_a_wrong_one_reads_like_an_unknown_person(person):
    await users.set_password(person.email, "a long enough one")
    assert (await sign_in(person.email, "a long enough one")).is_operator
    messages = set()
    for email in (person.email, "nobody@example.com"):
        with pytest.raises(UnauthenticatedError) as refused:
            await sign_in(email, "wrong")
        messages.add(refused.value.message)
    assert len(messages) == 1


async def test_person_without_a_password_cannot_sign_in(person):
    with pytest.raises(UnauthenticatedError):
        await sign_in(person.email, "the same work for unknown people")


async def test_short_password_is_refused(person):
    with pytest.raises(InvalidInputError, match="characters"):
        await users.set_password(person.email, "short")


async def test_known_address_is_refused(person):
    with pytest.raises(ConflictError):
        await users.create(OPERATOR, person.email.upper())


@pytest.mark.parametrize("email", ["", "x", "a@", "@b", "a b@c", "a@b@c"])
async def test_hostile_address_is_refused(migrated, email):
    with pytest.raises(InvalidInputError):
        await users.create(OPERATOR, email)


async def test_only_operators_create_users_and_tokens(person):
    with pytest.raises(PermissionDeniedError):
        await users.create(Actor("u"), "z@example.com")
    with pytest.raises(NotFoundError):
        await tokens.issue_for(OPERATOR, "unknown@example.com")


async def test_first_operator_gets_a_password_once(migrated):
    _, password = await users.ensure_operator("first@localhost")
    first = await sign_in("first@localhost", password)
    assert (first.is_operator, first.must_change_password) == (True, True)
    assert (await users.ensure_operator("first@localhost"))[1] is None
