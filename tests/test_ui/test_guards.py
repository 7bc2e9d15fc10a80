"""`guarded` derives who asks anew on each call, and makes every refusal visible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConnectorError, UnauthenticatedError
from etlfabric_dagster.models import Membership
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import sessions, users
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_ui import strings
from etlfabric_ui.state.guards import AUDIENCE, COOKIE, Visit, guarded, spoken
from etlfabric_ui.views.shared import Problem

PASSWORD = "correct horse battery"


@dataclass
class FakeState:
    """What a guard reads of a state, and where it puts what went wrong."""

    router: Any
    org_slug: str
    problem: Problem = Problem()
    busy: str = "saving"


@pytest.fixture
async def token(org: OrgOut) -> str:
    """A session of an editor of `org`: what stands in its token's place."""
    email = f"editor@{org.slug.replace('_', '-')}.example"
    user = await users.create(OPERATOR, email)
    await users.set_password(email, PASSWORD)
    async with get_session() as session:
        session.add(Membership(org_id=org.id, user_id=user.id, role=Role.EDITOR))
    return str((await sessions.sign_in(email, PASSWORD, AUDIENCE)).session_id)


def state(org: OrgOut, token: str) -> FakeState:
    router = SimpleNamespace(
        headers=SimpleNamespace(cookie=f"other=1; {COOKIE}={token}"),
        session=SimpleNamespace(client_ip="127.0.0.1"),
        url=f"http://localhost:3000/o/{org.slug}/runs?status=failed",
    )
    return FakeState(router, org.slug)


@guarded(Role.EDITOR)
async def edit(_self: Any, visit: Visit, word: str) -> tuple[Visit, str]:
    return visit, word


@guarded(Role.ADMIN)
async def administer(_self: Any, _visit: Visit) -> None:
    raise AssertionError("never reached")


async def test_handler_is_given_who_asks_and_its_own_arguments(org: OrgOut, token: str) -> None:
    visit, word = await edit(state(org, token), word="hello")

    assert (visit.org, visit.role, word) == (org.slug, Role.EDITOR, "hello")
    assert visit.actor.via == "ui"
    assert visit.actor.address == "127.0.0.1"


async def test_too_small_a_role_is_refused_on_the_page(org: OrgOut, token: str) -> None:
    page = state(org, token)

    assert await administer(page) is None
    assert page.problem.kind == "permission"
    assert "Admins can do this" in page.problem.message
    assert page.busy == ""


async def test_ended_session_leads_to_sign_in_and_back(org: OrgOut, token: str) -> None:
    await sessions.end(UUID(token))

    event = await edit(state(org, token), word="hello")

    assert f"/login?next=%2Fo%2F{org.slug}%2Fruns%3Fstatus%3Dfailed" in str(event.args)


async def test_role_is_read_anew_at_every_call(org: OrgOut, token: str) -> None:
    page = state(org, token)
    await edit(page, word="before")
    async with get_session() as session:
        await session.execute(
            update(Membership).where(Membership.org_id == org.id).values(role=Role.VIEWER)
        )

    assert await edit(page, word="after") is None
    assert page.problem.kind == "permission"


async def test_foreign_org_reads_like_a_missing_one(org: OrgOut, token: str) -> None:
    page = state(org, token)
    page.org_slug = "somebody_else"

    await edit(page, word="hello")

    assert page.problem == Problem("missing", strings.MISSING, code="not_found")


@pytest.mark.parametrize(
    "cookie",
    ["", "etlfabric", "etlfabric=", "etlfabric=ey.ey.ey", "\x00=;", f"etlfabric={UUID(int=7)}"],
)
async def test_no_cookie_or_a_strange_one_is_nobody(org: OrgOut, cookie: str) -> None:
    page = state(org, "")
    page.router.headers.cookie = cookie

    assert "/login" in str((await edit(page, word="hello")).args)


async def test_error_of_the_service_becomes_the_page_s_problem(org: OrgOut, token: str) -> None:
    @guarded(Role.VIEWER)
    async def fail(_self: Any, _visit: Visit) -> None:
        raise ConnectorError("db.acme.io refused.", "Check the password.", code="bad_login")

    page = state(org, token)
    await fail(page)

    assert page.problem == Problem(
        "error", "db.acme.io refused.", "Check the password.", "bad_login"
    )


async def test_unforeseen_error_shows_a_reference_and_no_detail(org: OrgOut, token: str) -> None:
    @guarded(Role.VIEWER)
    async def crash(_self: Any, _visit: Visit) -> None:
        raise RuntimeError("password=hunter2")

    page = state(org, token)
    await crash(page)

    assert page.problem.reference in page.problem.message
    assert "hunter2" not in str(page.problem)


async def test_streaming_handler_is_guarded_too(org: OrgOut, token: str) -> None:
    @guarded(Role.ADMIN)
    async def stream(_self: Any, _visit: Visit) -> AsyncIterator[None]:
        raise UnauthenticatedError("never reached")
        yield

    page = state(org, token)
    assert [event async for event in stream(page)] == [None]
    assert page.problem.kind == "permission"


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("Check the password.", "Check the password."),
        ("List them: etlfabric runs list acme", "List them."),
        ("Run `etlfabric up`.", ""),
    ],
)
def test_no_command_is_shown_in_the_panel(remedy: str, said: str) -> None:
    assert spoken(remedy) == said
