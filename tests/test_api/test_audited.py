"""Every route that changes something writes one event, without secrets: nothing is unlisted."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import AuditEvent
from etlfabric_dagster.schemas.people import Role
from tests.test_api.conftest import Person
from tests.test_api.test_matrix import ROUTES

SECRET = "canary-4f1d"
CSV = {"bucket_url": "uploads://", "streams": [{"name": "a", "glob": "a.csv", "format": "csv"}]}
SHOP = {"name": "shop", "connector": "filesystem", "config": CSV}
RULE = {"channels": ["hook"]}
PATH = "dbt-models/marts/one.sql"

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
    ("delete_dbt_model", PATH, None),
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
    ("update_me", "/auth/me", {"name": "Renamed"}),
    ("create_org", "/orgs", {"slug": "{other}", "name": "Other"}),
    ("erase_org", "?confirm={org}", None),
)

ELSEWHERE = {
    # sessions, and what changes nothing
    *("login", "refresh", "exchange", "logout", "end_sessions", "forgot_password"),
    *("send_verification", "show_invitation", "query", "plan_edit", "preview_dbt_model"),
    *("check_connection", "discover_connection", "test_alert_channel"),
    # written by the services' own tests: sign-ups, letters, histories, archives, fleets
    *("sign_up", "accept_invitation", "change_password", "change_email", "reset_password"),
    *("verify_email", "leave_org", "create_orgs", "restore_dbt_version", "import_dbt_project"),
    *("run_dbt_tests", "decide_column"),
}


async def events() -> list[AuditEvent]:
    async with get_session() as session:
        return list(await session.scalars(select(AuditEvent)))


@pytest.fixture
async def owner(org, register) -> Person:
    """Of the org, and an operator."""
    return await register(org, Role.OWNER, operator=True)


def test_every_route_that_changes_something_is_listed():
    changing = {name for name, route in ROUTES.items() if route.method != "GET"}
    listed = {name for name, *_ in STEPS}
    assert listed | ELSEWHERE >= changing
    assert listed <= changing


async def test_each_change_writes_one_event_without_secrets(
    client, org, owner, register, make_slug, interactive_worker
):
    member = await client.get("/auth/me", headers=(await register(org, Role.VIEWER)).headers)
    known = {"org": org.slug, "new": f"{uuid4().hex}@example.com", "other": make_slug()}
    known["member"] = member.json()["id"]
    wrong: dict[str, int] = {}
    for name, path, body in STEPS:
        path = path.format(**known)
        url = path if path.startswith("/") else f"/orgs/{org.slug}/{path}".rstrip("/")
        url = url.replace("/?", "?")
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {}
        if isinstance(body, dict):
            filled = {
                k: v.format(**known) if v in ("{org}", "{new}", "{other}") else v
                for k, v in body.items()
            }
            given = {"json": filled}
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
