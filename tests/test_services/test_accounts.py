"""One's own address."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import (
    ConflictError,
    InvalidInputError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.services import accounts, sessions, users
from etlfabric_dagster.services.scope import OPERATOR, Actor


@pytest.fixture
async def person(migrated, make_slug):
    return await users.create(OPERATOR, f"{make_slug()}@Example.com", operator=True)


async def test_new_address_signs_in_and_the_old_one_does_not(person):
    await users.set_password(person.email, "correct horse battery")
    actor = Actor(person.email, user_id=person.id)
    email = f"new-{person.email}"

    assert (
        await accounts.change_email(actor, "correct horse battery", email.upper())
    ).email == email
    assert (await sessions.sign_in(email, "correct horse battery", "api")).cookie
    with pytest.raises(UnauthenticatedError):
        await sessions.sign_in(person.email, "correct horse battery", "api")


async def test_address_is_changed_with_the_password_only_and_never_to_a_known_one(person):
    await users.set_password(person.email, "correct horse battery")
    actor = Actor(person.email, user_id=person.id)
    other = await users.create(OPERATOR, f"other-{person.email}")

    with pytest.raises(PermissionDeniedError):
        await accounts.change_email(actor, "another horse battery", f"x{person.email}")
    with pytest.raises(ConflictError):
        await accounts.change_email(actor, "correct horse battery", other.email)
    with pytest.raises(InvalidInputError):
        await accounts.change_email(actor, "correct horse battery", "nowhere")
