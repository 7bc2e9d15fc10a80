"""Every route that changes something writes its events, without secrets, and what changes nothing
writes none: nothing is unlisted.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import AuditEvent
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import invitations, sessions
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_api.conftest import Person
from tests.test_api.mailbox import letters, token_in
from tests.test_api.test_matrix import ROUTES

SECRET = "canary-4f1d"
CSV = {"bucket_url": "uploads://", "streams": [{"name": "a", "glob": "a.csv", "format": "csv"}]}
SHOP = {"name": "shop", "connector": "filesystem", "config": CSV}
RULE = {"channels": ["hook"]}
PATH = "dbt-models/marts/one.sql"
TESTS = "models: [{name: one, columns: [{name: one, data_tests: [not_null]}]}]"
PASSWORD = "a long enough one"


def project() -> bytes:
    """A dbt project of one model."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("dbt_project.yml", "name: theirs")
        archive.writestr("models/two.sql", "select 2 as two")
    return body.getvalue()


# operation, path below the org, body; `{…}` is filled from answers before
STEPS: tuple[tuple[str, str, Any], ...] = (
    ("put_upload", "uploads/a.csv", b"id\n1\n"),
    (
        "create_connection",
        "connections",
        {"name": "shop", "connector": "filesystem", "config": CSV},
    ),
    (
        "update_connection",
        "connections/shop",
        {"config": CSV | {"streams": [CSV["streams"][0] | {"glob": "*.csv"}]}},
    ),
    ("create_pipeline", "pipelines", {"name": "shop", "connection": "shop"}),
    ("update_pipeline", "pipelines/shop", {"schema_policy": "freeze"}),
    ("pause_pipeline", "pipelines/shop/pause", None),
    ("resume_pipeline", "pipelines/shop/resume", None),
    ("set_stream", "pipelines/shop/streams/a", {"mode": "append", "cursor": "id"}),
    ("decide_column", "pipelines/shop/streams/a/columns/extra", {"decision": "accept"}),
    ("edit_streams", "streams/edit", {"pipeline": "shop", "change": {"mode": "full"}}),
    ("set_schedule", "schedules/shop", {"cron": "0 3 * * *"}),
    ("pause_schedule", "schedules/shop/pause", None),
    ("resume_schedule", "schedules/shop/resume", None),
    ("remove_schedule", "schedules/shop", None),
    ("start_run", "runs", {"pipeline": "shop"}),
    ("cancel_run", "runs/{start_run}/cancel", None),
    ("retry_run", "runs/{start_run}/retry", None),
    ("cancel_run", "runs/{retry_run}/cancel", None),
    ("put_dbt_model", PATH, {"content": "select 1 as one"}),
    ("put_dbt_model", PATH, {"content": "select 2 as one"}),
    ("restore_dbt_version", "dbt-history/{version}/restore?path=marts/one.sql", None),
    ("put_dbt_model", "dbt-models/marts/one.yml", {"content": TESTS}),
    ("create_pipeline", "pipelines", {"name": "nightly", "models": "one"}),
    ("run_dbt_tests", f"{PATH}/tests", None),
    ("cancel_run", "runs/{run_dbt_tests}/cancel", None),
    ("delete_pipeline", "pipelines/nightly", None),
    ("delete_dbt_model", "dbt-models/marts/one.yml", None),
    ("delete_dbt_model", PATH, None),
    ("import_dbt_project", "dbt-models/import", project()),
    (
        "create_alert_channel",
        "alerts/channels",
        {
            "name": "hook",
            "kind": "webhook",
            "url": f"https://h.example.com/{SECRET}",
            "signing_secret": SECRET * 4,
        },
    ),
    (
        "update_alert_channel",
        "alerts/channels/hook",
        {"url": f"https://i.example.com/{SECRET}", "signing_secret": SECRET * 5},
    ),
    ("put_alert_rule", "alerts/rules/all", RULE),
    ("delete_alert_rule", "alerts/rules/all", None),
    ("delete_alert_channel", "alerts/channels/hook", None),
    ("create_invitation", "invitations", {"email": "guest@example.com", "role": "viewer"}),
    ("resend_invitation", "invitations/{create_invitation}/resend", None),
    ("revoke_invitation", "invitations/{create_invitation}", None),
    ("set_member_role", "members/{member}", {"role": "editor"}),
    ("remove_member", "members/{member}", None),
    ("create_token", "/tokens", {"name": "bound", "org": "{org}"}),
    ("revoke_org_token", "tokens/{create_token}", None),
    ("create_token", "/tokens", {"name": "own"}),
    ("revoke_token", "/tokens/{create_token}", None),
    ("roll_bi_credentials", "bi-credentials/roll", None),
    ("set_quota", "usage/quota", {"rows_per_month": 10}),
    ("set_org_limits", "limits", {"weight": 3}),
    ("rename_org", "", {"name": "Renamed"}),
    ("deselect_stream", "pipelines/shop/streams/a", None),
    ("delete_pipeline", "pipelines/shop", None),
    ("delete_connection", "connections/shop", None),
    ("delete_upload", "uploads/a.csv", None),
    ("suspend_org", "suspend", None),
    ("resume_org", "resume", None),
    ("create_user", "/users", {"email": "{new}"}),
    ("issue_user_token", "/users/{new}/token", None),
    ("disable_user", "/users/{new}/disable", None),
    ("enable_user", "/users/{new}/enable", None),
    ("sign_user_out", "/users/{new}/sessions", None),
    ("update_me", "/auth/me", {"name": "Renamed"}),
    ("create_org", "/orgs", {"slug": "{other}", "name": "Other"}),
    ("create_orgs", "/fleet/orgs", {"orgs": [{"slug": "{third}", "name": "Third"}]}),
    ("erase_org", "?confirm={org}", None),
)

ACCOUNTS = {
    *("sign_up", "verify_email", "change_email", "change_password", "reset_password"),
    *("accept_invitation", "leave_org"),
}
"""Changes of one's own account: asked for by other people than the steps."""

# operation, path below the org, body: sessions come and go without an event, and so does what reads
QUIET: tuple[tuple[str, str, Any], ...] = (
    ("login", "/auth/login", {"email": "{email}", "password": "{password}"}),
    ("refresh", "/auth/refresh", {"refresh_token": "{refresh_token}"}),
    ("exchange", "/auth/exchange", {"code": "{code}"}),
    ("logout", "/auth/logout", None),
    ("end_sessions", "/auth/sessions", None),
    ("forgot_password", "/auth/forgot", {"email": "{email}"}),
    ("send_verification", "/auth/verify/letter", None),
    ("show_invitation", "/invitations/show", {"token": "{invitation}"}),
    ("query", "query", {"sql": "select 1"}),
    ("plan_edit", "streams/plan", {"pipeline": "shop", "streams": {"orders": {"mode": "full"}}}),
    ("compile_dbt_text", f"{PATH}/compiled", {"content": "select 1 as one"}),
    ("preview_dbt_model", f"{PATH}/preview", {"content": "select 1 as one"}),
    ("format_sql", "dbt-models/format", {"sql": "select a,b from c"}),
    ("browse_table", "data/raw/looked_at/page", {"limit": 10}),
    ("check_connection", "connections/shop/check", None),
    ("discover_connection", "connections/shop/discover", None),
    ("test_alert_channel", "alerts/channels/quiet/test", None),
)

Asked = Callable[[], Awaitable[Any]]


async def events() -> list[AuditEvent]:
    async with get_session() as session:
        return list(await session.scalars(select(AuditEvent)))


async def written_by(asked: Asked) -> list[AuditEvent]:
    """The events of a request, which must succeed."""
    before = {event.id for event in await events()}
    answer = await asked()
    assert answer.status_code < 300, answer.text
    return [event for event in await events() if event.id not in before]


def filled(value: Any, known: dict[str, str]) -> Any:
    """With what was answered before in place of `{…}`."""
    text = json.dumps(value)
    for name, found in known.items():
        text = text.replace(f"{{{name}}}", found)
    return json.loads(text)


@pytest.fixture
async def owner(org, register) -> Person:
    """Of the org, and an operator."""
    return await register(org, Role.OWNER, operator=True)


def test_every_route_that_changes_something_is_listed():
    changing = {name for name, route in ROUTES.items() if route.method != "GET"}
    assert {name for name, *_ in (*STEPS, *QUIET)} | ACCOUNTS == changing


async def test_each_change_writes_one_event_without_secrets(
    client, org, owner, register, make_slug, interactive_worker
):
    member = await client.get("/auth/me", headers=(await register(org, Role.VIEWER)).headers)
    known = {"org": org.slug, "new": f"{uuid4().hex}@example.com", "other": make_slug()}
    known |= {"member": member.json()["id"], "third": make_slug()}
    wrong: dict[str, int] = {}
    for name, path, body in STEPS:
        if name == "restore_dbt_version":
            known["version"] = await oldest_version(client, org, owner)
        path = filled(path, known)
        url = path if path.startswith("/") else f"/orgs/{org.slug}/{path}".rstrip("/")
        url = url.replace("/?", "?")
        raw = isinstance(body, bytes)
        given = {"content": body} if raw else {"json": filled(body, known)} if body else {}
        before = {event.id for event in await events()}
        answer = await client.request(ROUTES[name].method, url, headers=owner.headers, **given)
        assert answer.status_code < 300, f"{name}: {answer.text}"
        if answer.content and "id" in answer.json():
            known[name] = answer.json()["id"]
        written = [event for event in await events() if event.id not in before]
        if len(written) != 1:
            wrong[name] = len(written)
        for event in written:
            assert SECRET not in (event.payload or ""), name
            assert '"target":"' in (event.payload or ""), name
    assert wrong == {}


async def oldest_version(client, org, owner: Person) -> str:
    url = f"/orgs/{org.slug}/dbt-history"
    found = await client.get(url, headers=owner.headers, params={"path": "marts/one.sql"})
    return found.json()["items"][-1]["id"]


async def test_each_change_of_an_account_writes_what_it_did(client, org, owner, make_slug):
    slug, email = make_slug(), f"{make_slug()}@example.com"
    told: dict[str, list[str]] = {}

    async def do(name: str, body: Any = None, headers: Any = None, **path: str) -> Any:
        route, kept = ROUTES[name], []

        async def asked() -> Any:
            answer = await client.request(
                route.method, route.url(org.slug, **path), headers=headers, json=body
            )
            client.cookies.clear()
            kept.append(answer)
            return answer

        written = await written_by(asked)
        assert not [one for one in written if PASSWORD in (one.payload or "")]
        assert [one for one in written if '"target":"' not in (one.payload or "")] == []
        assert [one for one in written if '"address":"127.' not in (one.payload or "")] == []
        told[name] = sorted(one.action for one in written)
        return kept[0]

    given = {"email": email, "password": PASSWORD, "org_name": "Acme", "slug": slug}
    signed_up = (await do("sign_up", given)).json()
    headers = {"Authorization": f"Bearer {signed_up['access_token']}"}
    await do("verify_email", {"token": token_in(letters(email)[-1])})
    changed = {"current_password": PASSWORD, "new_password": f"{PASSWORD} too"}
    await do("change_password", changed, headers)
    address = {"current_password": f"{PASSWORD} too", "email": f"new-{email}"}
    await do("change_email", address, headers)
    await client.post("/auth/forgot", json={"email": f"new-{email}"})
    reset = {"token": token_in(letters(f"new-{email}")[-1]), "password": PASSWORD}
    await do("reset_password", reset)
    guest = f"{make_slug()}@example.com"
    invited = await invitations.invite(OPERATOR, org.slug, guest, Role.VIEWER)
    link = {"token": invited.link.rpartition("/")[2], "password": PASSWORD}
    await do("accept_invitation", link)
    signed_in = await client.post("/auth/login", json={"email": guest, "password": PASSWORD})
    client.cookies.clear()
    await do("leave_org", None, {"Authorization": f"Bearer {signed_in.json()['access_token']}"})
    assert told == {
        "sign_up": ["orgs.create", "users.create"],
        "verify_email": ["users.update"],
        "change_password": ["users.password"],
        "change_email": ["users.update"],
        "reset_password": ["users.password"],
        "accept_invitation": ["members.join"],
        "leave_org": ["members.remove"],
    }
    assert set(told) == ACCOUNTS


@pytest.fixture
async def at_hand(client, desk, register) -> dict[str, str]:
    """What the quiet requests name."""
    async with get_session() as session:
        warehouse = f"tenant_{desk.org.id.hex}_raw"
        await session.execute(text(f'CREATE TABLE IF NOT EXISTS "{warehouse}".looked_at (id int)'))
        grant = text(f'GRANT SELECT ON "{warehouse}".looked_at TO PUBLIC')
        await session.execute(grant)
    channel = {"name": "quiet", "kind": "email", "to": ["ops@example.com"]}
    made = await desk("POST", "alerts/channels", json=channel)
    assert made.status_code in (201, 409), made.text
    person = await register()
    given = {"email": person.email, "password": person.password}
    signed_in = (await client.post("/auth/login", json=given)).json()
    grant = await sessions.sign_in(person.email, person.password, "api")
    invited = await invitations.invite(OPERATOR, desk.org.slug, person.email, Role.VIEWER)
    client.cookies.clear()
    return {
        "email": person.email,
        "password": person.password,
        "refresh_token": signed_in["refresh_token"],
        "code": await sessions.issue_code(grant.session_id),
        "invitation": invited.link.rpartition("/")[2],
        "access_token": grant.access_token,
    }


async def test_what_changes_nothing_writes_no_event(client, desk, at_hand, register):
    loud: dict[str, list[str]] = {}
    for name, path, body in QUIET:
        url = path if path.startswith("/") else f"/orgs/{desk.org.slug}/{path}"
        headers = dict(desk.owner.headers)
        if name in ("logout", "end_sessions"):
            headers["Authorization"] = f"Bearer {at_hand['access_token']}"
        if name == "end_sessions":
            again = {"email": at_hand["email"], "password": at_hand["password"]}
            signed_in = (await client.post("/auth/login", json=again)).json()
            headers["Authorization"] = f"Bearer {signed_in['access_token']}"
        if name == "exchange":
            headers = {"Origin": "http://api.test"}
        client.cookies.clear()
        given = {"json": filled(body, at_hand)} if body else {}

        async def asked(
            method: str = ROUTES[name].method, url: str = url, sent: Any = headers, given=given
        ) -> Any:
            return await client.request(method, url, headers=sent, **given)

        if written := await written_by(asked):
            loud[name] = [event.action for event in written]
        client.cookies.clear()
    assert loud == {}
