"""The real application, called in this process; people of every role; an org and a foreign one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis
from argon2 import PasswordHasher

from etlfabric_dagster import logs
from etlfabric_dagster.api.app import create_app
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Membership, User
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import orgs, tokens, users
from etlfabric_dagster.services.scope import OPERATOR

BASE = "http://api.test/api/v1"


@dataclass(frozen=True)
class Person:
    """Somebody with a password and a token."""

    email: str
    password: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What authenticates a request of theirs."""
        return {"Authorization": f"Bearer {self.token}"}


Register = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="session")
async def client(migrated) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the application without a network; keeps no cookies."""
    logs.configure("ERROR", json_lines=True)  # a traceback in colors takes a minute to draw
    transport = httpx.ASGITransport(create_app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _untried(client: httpx.AsyncClient, valkey) -> None:
    """Nobody has tried anything yet, and the client holds no cookie."""
    client.cookies.clear()
    with redis.Redis.from_url(valkey.url) as server:
        for key in server.scan_iter("LIMITS*"):
            server.delete(key)


@pytest.fixture(scope="session")
def register(migrated, make_slug) -> Register:
    """Make a person: `await register()`, `register(org, "viewer")` or `register(operator=True)`."""
    password = "correct horse battery"
    hashed = PasswordHasher().hash(password)  # once: it is slow on purpose

    async def make(
        org: OrgOut | None = None, role: Role | str | None = None, *, operator: bool = False
    ) -> Person:
        email = f"{make_slug()}@example.com"
        user = await users.create(OPERATOR, email, operator=operator)
        async with get_session() as session:
            (await session.get_one(User, user.id)).password_hash = hashed
        if org is not None and role is not None:
            async with get_session() as session:
                session.add(Membership(org_id=org.id, user_id=user.id, role=Role(role)))
        token = (await tokens.issue_for(OPERATOR, email)).token
        return Person(email, password, token)

    return make


@dataclass(frozen=True)
class Cast:
    """An org with a person in each role, and another org with its owner."""

    org: OrgOut
    foreign: OrgOut
    viewer: Person
    editor: Person
    admin: Person
    owner: Person
    stranger: Person
    """Owner of `foreign`."""
    operator: Person

    def __getitem__(self, name: str) -> Person:
        return getattr(self, name)


@pytest.fixture(scope="module")
async def people(migrated, make_slug, register: Register) -> Cast:
    """Shared by a file: its tests do not change its members or status."""
    org = await orgs.create(OPERATOR, make_slug(), "Cast")
    foreign = await orgs.create(OPERATOR, make_slug(), "Foreign")
    members = {str(role): await register(org, role) for role in Role}
    return Cast(
        org=org,
        foreign=foreign,
        stranger=await register(foreign, Role.OWNER),
        operator=await register(operator=True),
        **members,
    )


@dataclass(frozen=True)
class Desk:
    """An org with a connection and a pipeline, and its owner, who asks."""

    org: OrgOut
    owner: Person
    client: httpx.AsyncClient

    async def __call__(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A request below the org's path, as its owner."""
        headers = self.owner.headers | given.pop("headers", {})
        url = f"/orgs/{self.org.slug}/{path}"
        return await self.client.request(method, url, headers=headers, **given)


@pytest.fixture(scope="module")
async def desk(client, make_slug, register: Register, shop_source, interactive_worker) -> Desk:
    """Shared by a file: its tests leave `shop` and its stream as they are."""
    org = await orgs.create(OPERATOR, make_slug(), "Desk")
    desk = Desk(org, await register(org, Role.OWNER), client)
    config, secrets = shop_source
    connection = {"name": "shop", "connector": "sql_database", "config": config}
    made = await desk("POST", "connections", json=connection | {"secrets": secrets})
    assert made.status_code == 201, made.text
    made = await desk("POST", "pipelines", json={"name": "shop", "connection": "shop"})
    assert made.status_code == 201, made.text
    return desk
