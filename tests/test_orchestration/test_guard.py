"""Dagster's webserver lets operators in, and nobody else, by no door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import dagster as dg
import httpx
import pytest
from starlette.types import ASGIApp

from etlfabric_dagster.config import Settings
from etlfabric_dagster.orchestration import guard
from etlfabric_dagster.orchestration.webserver import create_app
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import sessions, throttle, tokens, users
from etlfabric_dagster.services.scope import OPERATOR

HOST = "http://dagster.test"
QUERY = {"query": "{ locationStatusesOrError { __typename } workspaceOrError { __typename } }"}
PASSWORD = "a long enough password"


@pytest.fixture
def app(instance: dg.DagsterInstance) -> Any:
    with FabricProcessContext(instance) as context:
        yield create_app(context)


@pytest.fixture
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=HOST) as opened:
        yield opened


@pytest.fixture
async def make_user(migrated: Settings, make_slug: Callable[[], str]) -> Callable[[bool], Any]:
    async def make(operator: bool) -> tuple[str, str]:
        email = f"{make_slug()}@example.org"
        await users.create(OPERATOR, email, operator=operator)
        await users.set_password(email, PASSWORD)
        return email, (await tokens.issue_for(OPERATOR, email)).token

    return make


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/graphql"),
        ("GET", "/graphql?query={version}"),
        ("GET", "/"),
        ("GET", "/server_info"),
        ("GET", "/download_debug/x"),
        ("POST", "/report_asset_materialization/acme/raw/x"),
        ("GET", "//graphql"),
        ("GET", "/login/../server_info"),
        ("GET", "/healthz/"),
    ],
)
async def test_nothing_answers_without_credentials(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path, json=QUERY if method == "POST" else None)
    assert answer.status_code == 401
    assert answer.json()["error"]["remedy"]


async def test_a_page_asked_without_credentials_leads_to_the_form_and_back(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/locations", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/locations"
    form = await client.get(answer.headers["location"])
    assert form.status_code == 200
    assert 'action="/login?next=/locations"' in form.text


async def test_an_operators_token_opens_graphql_and_lists_orgs(
    published: OrgOut, client: httpx.AsyncClient, make_user: Any
) -> None:
    _, token = await make_user(True)
    query = "{ workspaceOrError { ... on Workspace { locationEntries { name } } } }"
    headers = {"authorization": f"Bearer {token}"}
    answer = await client.post("/graphql", json={"query": query}, headers=headers)
    assert answer.status_code == 200, answer.text
    entries = answer.json()["data"]["workspaceOrError"]["locationEntries"]
    assert published.slug in {entry["name"] for entry in entries}


async def test_a_users_token_is_refused(client: httpx.AsyncClient, make_user: Any) -> None:
    _, token = await make_user(False)
    headers = {"authorization": f"Bearer {token}"}
    answer = await client.post("/graphql", json=QUERY, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "etlf_wrong", "x.y.z", "é"])
async def test_a_made_up_token_is_refused(client: httpx.AsyncClient, token: str) -> None:
    headers = {"authorization": f"Bearer {token}".encode()}
    assert (await client.post("/graphql", json=QUERY, headers=headers)).status_code == 401


async def sign_in(
    client: httpx.AsyncClient, email: str, password: str = PASSWORD, **kw: Any
) -> Any:
    form = {"email": email, "password": password}
    return await client.post("/login", data=form, headers={"origin": HOST}, **kw)


async def test_the_form_sets_a_cookie_that_opens_the_site_until_signing_out(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(True)
    answer = await sign_in(client, email, params={"next": "/runs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    kept = client.cookies[guard.COOKIE]
    origin = {"origin": HOST}
    assert (await client.post("/graphql", json=QUERY, headers=origin)).status_code == 200
    await client.post("/logout", headers=origin)
    client.cookies.set(guard.COOKIE, kept)
    assert (await client.post("/graphql", json=QUERY, headers=origin)).status_code == 401


async def test_a_cookie_does_not_serve_other_sites(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(True)
    await sign_in(client, email)
    for headers in ({}, {"origin": "http://evil.test"}, {"origin": "null"}):
        assert (await client.post("/graphql", json=QUERY, headers=headers)).status_code == 403


async def test_a_wrong_password_reads_like_an_unknown_person(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(True)
    wrong = await sign_in(client, email, "wrong password")
    unknown = await sign_in(client, "nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text == unknown.text


async def test_guessing_is_stopped_with_a_time_to_wait(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(True)
    for _ in range(throttle.PER_ACCOUNT.amount):
        assert (await sign_in(client, email, "wrong password")).status_code == 401
    stopped = await sign_in(client, email)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0
    assert 'role="alert">Too many tries' in stopped.text


async def test_someone_who_is_no_operator_stays_outside_after_signing_in(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(False)
    await sign_in(client, email)
    answer = await client.post("/graphql", json=QUERY, headers={"origin": HOST})
    assert answer.status_code == 403


@pytest.mark.parametrize("wanted", ["//evil.test/", "https://evil.test", "/\\evil.test", "evil"])
async def test_signing_in_never_leads_to_another_site(
    client: httpx.AsyncClient, make_user: Any, wanted: str
) -> None:
    email, _ = await make_user(True)
    answer = await sign_in(client, email, params={"next": wanted})
    assert answer.headers["location"] == "/"


async def handshake(app: ASGIApp, headers: dict[str, str]) -> str:
    """The first answer to a websocket's handshake."""
    sent: list[Any] = []
    inbox = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Any:
        return inbox.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw += [(b"host", b"dagster.test"), (b"sec-websocket-protocol", b"graphql-ws")]
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "scheme": "ws",
        "headers": raw,
        "subprotocols": ["graphql-ws"],
        "client": ("127.0.0.1", 1),
        "server": ("dagster.test", 80),
    }
    await app(scope, receive, send)
    return sent[0]["type"]


async def test_websockets_pass_the_same_door(app: ASGIApp, make_user: Any) -> None:
    _, token = await make_user(True)
    assert await handshake(app, {}) == "websocket.close"
    assert await handshake(app, {"authorization": "Bearer nonsense"}) == "websocket.close"
    opened = await handshake(app, {"authorization": f"Bearer {token}"})
    assert opened == "websocket.accept"


async def test_a_websocket_with_a_cookie_needs_its_own_origin(
    app: ASGIApp, client: httpx.AsyncClient, make_user: Any
) -> None:
    email, _ = await make_user(True)
    await sign_in(client, email)
    cookie = f"{guard.COOKIE}={client.cookies[guard.COOKIE]}"
    assert await handshake(app, {"cookie": cookie}) == "websocket.close"
    evil = {"cookie": cookie, "origin": "http://evil.test"}
    assert await handshake(app, evil) == "websocket.close"
    own = {"cookie": cookie, "origin": HOST}
    assert await handshake(app, own) == "websocket.accept"


async def test_one_time_password_opens_nothing_here(
    client: httpx.AsyncClient, make_user: Callable[[bool], Any]
) -> None:
    email, _ = await make_user(True)
    once = await users.one_time_password(OPERATOR, email)
    fields = {"email": email, "password": once}
    headers = {"origin": HOST}
    refused = await client.post("/login", data=fields, headers=headers)
    assert refused.status_code == 403
    assert "one-time password" in refused.text
    assert not refused.cookies
    grant = await sessions.sign_in(email, once, guard.AUDIENCE)
    client.cookies.set(guard.COOKIE, grant.cookie)
    answer = await client.get("/server_info")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "password_change_required"
