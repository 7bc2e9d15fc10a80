"""Guessing passwords ends soon, for an account and for an address, in all processes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from etlfabric_dagster.config import Settings
from etlfabric_dagster.errors import FabricError, RateLimitedError, UnauthenticatedError
from etlfabric_dagster.services import sessions, throttle, users
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.testing import free_port

PASSWORD = "a long enough password"
WRONG = "not this password"
TRIES = throttle.PER_ACCOUNT.amount


@pytest.fixture
async def email(migrated: Settings, make_slug: Callable[[], str]) -> str:
    address = f"{make_slug()}@example.org"
    await users.create(OPERATOR, address)
    await users.set_password(address, PASSWORD)
    return address


async def sign_in(email: str, password: str = WRONG, address: str = "") -> FabricError | None:
    try:
        await sessions.sign_in(email, password, "test", address=address)
    except FabricError as exc:
        return exc
    return None


async def test_account_is_closed_after_its_tries_even_for_the_right_password(email: str) -> None:
    answers = await asyncio.gather(*(sign_in(email) for _ in range(TRIES + 5)))
    assert sum(isinstance(answer, UnauthenticatedError) for answer in answers) == TRIES
    refused = await sign_in(email.upper(), PASSWORD)
    assert isinstance(refused, RateLimitedError)
    assert 0 < refused.where["retry_after_s"] <= 15 * 60


async def test_unknown_account_is_closed_in_the_same_words(email: str) -> None:
    known = [str(await sign_in(email)) for _ in range(TRIES + 1)]
    unknown = [str(await sign_in(f"nobody.{email}")) for _ in range(TRIES + 1)]
    assert unknown == known
    assert known[-1] != known[0]


async def test_signing_in_takes_back_the_tries_before_it(email: str) -> None:
    for _ in range(2):
        for _ in range(TRIES - 1):
            assert isinstance(await sign_in(email), UnauthenticatedError)
        assert await sign_in(email, PASSWORD) is None


async def test_address_is_closed_whatever_accounts_it_tries(
    email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = throttle.RateLimitItemPerMinute(3, 15, namespace=email)
    monkeypatch.setattr(throttle, "PER_ADDRESS", few)
    for n in range(3):
        assert isinstance(await sign_in(f"{n}.{email}", address="10.1.2.3"), UnauthenticatedError)
    assert isinstance(await sign_in(email, PASSWORD, "10.1.2.3"), RateLimitedError)
    assert await sign_in(email, PASSWORD, "10.1.2.4") is None


async def test_without_redis_this_process_still_counts(
    email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(throttle, "settings", SimpleNamespace(redis=url))
    answers = [await sign_in(email) for _ in range(TRIES + 1)]
    assert isinstance(answers[0], UnauthenticatedError)
    assert isinstance(answers[-1], RateLimitedError)
