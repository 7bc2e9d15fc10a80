"""Reflex keeps a handshake's headers: the session's token is not among them."""

from __future__ import annotations

from typing import Any

import pytest

from etlfabric_dagster.config import Settings
from etlfabric_dagster.schemas.people import Grant
from etlfabric_dagster.services import sessions, users
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_ui.state.guards import AUDIENCE, session_of
from etlfabric_ui.state.mounting import without_token

PASSWORD = "correct horse battery"


@pytest.fixture
async def grant(migrated: Settings, request: pytest.FixtureRequest) -> Grant:
    email = f"mount-{abs(hash(request.node.name))}@example.com"
    await users.create(OPERATOR, email)
    await users.set_password(email, PASSWORD)
    return await sessions.sign_in(email, PASSWORD, AUDIENCE)


def handed_on(cookie: str, kind: str = "websocket") -> str:
    scope: dict[str, Any] = {"type": kind, "headers": [(b"cookie", cookie.encode("latin-1"))]}
    return dict(without_token(scope)["headers"])[b"cookie"].decode("latin-1")


@pytest.mark.parametrize("kind", ["websocket", "http"])
async def test_token_is_replaced_by_an_id_that_opens_the_session(grant: Grant, kind: str) -> None:
    kept = handed_on(f"etlfabric_zone=Europe%2FBerlin; etlfabric={grant.cookie}", kind)

    assert grant.cookie not in kept
    assert "etlfabric_zone=Europe%2FBerlin" in kept
    assert (await sessions.resume(session_of(kept))).session_id == grant.session_id


async def test_id_sent_by_hand_is_nobody(grant: Grant) -> None:
    assert handed_on(f"etlfabric={grant.session_id}") == ""


@pytest.mark.parametrize("cookie", ["etlfabric=ey.ey.ey", "etlfabric=", "\x00=;"])
def test_strange_cookie_is_left_out(migrated: Settings, cookie: str) -> None:
    assert handed_on(cookie) == ""


def test_other_cookies_and_headers_stay(migrated: Settings) -> None:
    scope = {"type": "http", "headers": [(b"cookie", b"theme=dark"), (b"origin", b"http://x")]}

    assert without_token(scope)["headers"] == scope["headers"]
    assert without_token({"type": "lifespan"}) == {"type": "lifespan"}
