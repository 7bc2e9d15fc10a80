"""Alerts reach a real HTTP receiver and a real SMTP server, once per incident."""

from __future__ import annotations

import json
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from pydantic import SecretStr
from sqlalchemy import select, update

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.models import AlertChannel, AlertDelivery, Run
from etlfabric_dagster.queue import take_doorbells
from etlfabric_dagster.schemas.alerts import ChannelKind, DeliveryStatus
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.schemas.streams import SchemaChange
from etlfabric_dagster.security import signing
from etlfabric_dagster.services import (
    alert_texts,
    alert_watch,
    alerts,
    audit,
    connections,
    deliveries,
    erasures,
    incidents,
    mail,
    mutes,
    orgs,
)
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.testing import free_port
from tests.http_api import Answer, Api, http_api
from tests.test_services.ended_runs import add_pipeline, end_run

FAILED, SUCCEEDED = RunStatus.FAILED, RunStatus.SUCCEEDED


@pytest.fixture
def hook(sandbox):
    with http_api() as api:
        api.serve("/hook", lambda _: Answer(b"ok"))
        yield api


async def add_channel(slug: str, api: Api, kind: str = "webhook", name: str = "hook", **options):
    async with org_scope(OPERATOR, slug) as scope:
        url = f"{api.url}/hook"
        return await alerts.create_channel(scope, name, ChannelKind(kind), url=url, **options)


async def add_rule(slug: str, name: str = "all", **settings):
    async with org_scope(OPERATOR, slug) as scope:
        return await alerts.put_rule(scope, name, {"channels": ["hook"]} | settings)


async def send_due(slug: str) -> list[DeliveryStatus | None]:
    async with org_scope(OPERATOR, slug) as scope:
        query = select(AlertDelivery.id).where(AlertDelivery.org_id == scope.org_id)
        waiting = query.where(AlertDelivery.status == "queued").order_by(AlertDelivery.created_at)
        ids = list(await scope.session.scalars(waiting))
    return [await deliveries.send(delivery_id) for delivery_id in ids]


async def end_and_tell(slug: str, status: RunStatus, **options):
    run_id = await end_run(slug, status, **options)
    await alert_watch.evaluate_run(run_id)
    await send_due(slug)
    return run_id


async def history(slug: str, **options):
    async with org_scope(OPERATOR, slug) as scope:
        return (await incidents.list_incidents(scope, **options)).items


def told(api: Api) -> list[tuple[str, str]]:
    bodies = [json.loads(asked.body) for asked in api.asked]
    return [(body["kind"], body["event"]) for body in bodies]


async def test_three_failures_and_a_recovery_are_two_messages(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    for _ in range(3):
        await end_and_tell(org.slug, FAILED)
    await end_and_tell(org.slug, SUCCEEDED)
    await end_and_tell(org.slug, SUCCEEDED)
    assert told(hook) == [("failure", "opened"), ("failure", "recovered")]
    (incident,) = await history(org.slug)
    assert incident.occurrences == 3
    assert incident.notified_at is not None
    assert incident.recovered_at is not None
    assert [d.status for d in incident.deliveries] == ["sent", "sent"]
    assert await history(org.slug, open_only=True) == ()


async def test_webhook_carries_a_signature_that_only_its_secret_makes(org, hook):
    channel = await add_channel(org.slug, hook)
    await add_rule(org.slug)
    run_id = await end_and_tell(org.slug, FAILED)
    (asked,) = hook.asked
    headers = {name.lower(): value for name, value in asked.headers.items()}
    timestamp = int(headers["x-etlfabric-timestamp"])
    signature = headers["x-etlfabric-signature"]
    now = clock.now().timestamp()
    secret = channel.signing_secret or ""
    assert signing.verify(secret, timestamp, asked.body, signature, now)
    assert not signing.verify(secret, timestamp, asked.body + b" ", signature, now)
    assert not signing.verify(secret + "x", timestamp, asked.body, signature, now)
    assert not signing.verify(secret, timestamp, asked.body, signature, now + 301)
    body = json.loads(asked.body)
    assert body["run_id"] == str(run_id)
    assert body["message"] == "db.acme.io refused the login."
    assert body["remedy"] == "Check the password."


async def test_slack_text_cannot_mention_or_link(org, hook):
    await add_channel(org.slug, hook, "slack")
    await add_rule(org.slug, kinds=["schema_change"])
    await end_and_tell(org.slug, SUCCEEDED)
    change = SchemaChange(stream="<!channel>", table="t", column="c", change="added")
    await end_and_tell(org.slug, SUCCEEDED, changes=(change,))
    (asked,) = hook.asked
    text = json.loads(asked.body)["text"]
    assert "shop: the source changed its schema" in text
    assert "<!channel>" not in text
    assert "&lt;!channel&gt;.c added" in text


async def test_schema_of_the_first_load_is_no_news(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug, kinds=["schema_change"])
    change = SchemaChange(stream="orders", table="orders", column=None, change="table_added")
    await end_and_tell(org.slug, SUCCEEDED, changes=(change,))
    assert hook.asked == []


async def test_rule_of_one_pipeline_is_silent_about_others(org, hook):
    await add_channel(org.slug, hook)
    await add_pipeline(org.slug, "crm")
    await add_rule(org.slug, pipelines=["crm"])
    await end_and_tell(org.slug, FAILED, pipeline="shop")
    assert hook.asked == []
    await end_and_tell(org.slug, FAILED, pipeline="crm")
    assert len(hook.asked) == 1


async def test_rule_of_recovery_alone_tells_only_the_end(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug, kinds=["recovery"])
    await end_and_tell(org.slug, FAILED)
    await end_and_tell(org.slug, SUCCEEDED)
    assert told(hook) == [("failure", "recovered")]


async def test_failure_judged_after_a_newer_success_opens_nothing(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    old = await end_run(org.slug, FAILED, ago=timedelta(minutes=5))
    await end_and_tell(org.slug, SUCCEEDED)
    assert await alert_watch.evaluate_run(old) == 0
    assert await history(org.slug) == ()


async def test_verdict_of_an_org_without_a_rule_needs_no_look(org):
    run_id = await end_run(org.slug, FAILED)
    async with get_session() as session:
        assert (await session.get_one(Run, run_id)).alerted_at is not None


async def test_verdict_whose_doorbell_is_lost_is_rung_again(org, hook, valkey):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    run_id = await end_run(org.slug, FAILED, ago=timedelta(seconds=10))
    assert await alert_watch.ring_stale() >= 1
    await alert_watch.evaluate_run(run_id)
    async with get_session() as session:
        assert (await session.get_one(Run, run_id)).alerted_at is not None
    assert await alert_watch.evaluate_run(run_id) == 0


async def test_message_that_is_refused_for_now_is_tried_again_from_its_row(org, hook):
    answers = [503, 200]
    hook.serve("/hook", lambda _: Answer(b"", status=answers.pop(0)))
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    (incident,) = await history(org.slug)
    (delivery,) = incident.deliveries
    assert delivery.status is DeliveryStatus.QUEUED
    assert "it answered 503" in (delivery.error or "")
    assert await send_due(org.slug) == [None]  # not due yet
    async with get_session() as session:
        past = clock.now() - timedelta(seconds=6)
        await session.execute(
            update(AlertDelivery).where(AlertDelivery.org_id == org.id).values(next_attempt_at=past)
        )
    assert await alert_watch.ring_stale() >= 1
    assert await send_due(org.slug) == [DeliveryStatus.SENT]
    assert len(hook.asked) == 2


async def test_message_that_is_refused_for_good_is_not_tried_again(org, hook):
    hook.serve("/hook", lambda _: Answer(b"", status=410))
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    (incident,) = await history(org.slug)
    assert incident.deliveries[0].status is DeliveryStatus.FAILED
    assert await send_due(org.slug) == []


async def test_redirect_is_not_followed(org, hook):
    hook.serve("/hook", lambda _: Answer(b"", 302, {"Location": f"{hook.url}/elsewhere"}))
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    assert [asked.path for asked in hook.asked] == ["/hook"]


async def test_webhook_at_the_platform_itself_is_refused(org, sandbox, install, interactive_worker):
    port = install.database.port
    async with org_scope(OPERATOR, org.slug) as scope:
        url = f"http://127.0.0.1:{port}/secret-path"
        await alerts.create_channel(scope, "self", ChannelKind.SLACK, url=url)
    result = await deliveries.test(OPERATOR, org.slug, "self")
    assert not result.ok
    assert result.code == "egress_denied"
    assert "secret-path" not in result.model_dump_json()


async def test_test_call_reaches_the_channel(org, hook, interactive_worker):
    await add_channel(org.slug, hook)
    assert (await deliveries.test(OPERATOR, org.slug, "hook")).ok
    assert json.loads(hook.asked[0].body)["event"] == "test"


async def test_quiet_hours_hold_a_message_and_a_recovery_takes_it_back(org, hook):
    await add_channel(org.slug, hook)
    now = clock.now()
    quiet = {
        "quiet_from": f"{now - timedelta(hours=1):%H:%M}",
        "quiet_to": f"{now + timedelta(hours=1):%H:%M}",
    }
    await add_rule(org.slug, **quiet)
    await end_and_tell(org.slug, FAILED)
    (incident,) = await history(org.slug)
    (waiting,) = incident.deliveries
    assert waiting.next_attempt_at is not None
    assert timedelta(minutes=58) < waiting.next_attempt_at - now < timedelta(minutes=61)
    await end_and_tell(org.slug, SUCCEEDED)
    (incident,) = await history(org.slug)
    assert [d.status for d in incident.deliveries] == [DeliveryStatus.SKIPPED]
    assert hook.asked == []


class Inbox(Message):
    def __init__(self):
        super().__init__()
        self.messages = []

    def handle_message(self, message):
        self.messages.append(message)


@pytest.fixture
def smtp(migrated, monkeypatch):
    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    monkeypatch.setattr(migrated, "smtp_url", SecretStr(f"smtp://127.0.0.1:{server.port}"))
    yield inbox
    server.stop()


async def test_mail_goes_through_the_smtp_server(org, smtp):
    async with org_scope(OPERATOR, org.slug) as scope:
        to = ["ana@example.com", "ops@example.com"]
        await alerts.create_channel(scope, "hook", ChannelKind.EMAIL, to=to)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    (message,) = smtp.messages
    assert message["To"] == "ana@example.com, ops@example.com"
    assert message["Subject"] == f"shop failed ({org.slug})"
    assert "Check the password." in message.get_payload()


async def test_mail_without_a_server_is_kept_in_the_home(migrated):
    await mail.send("ana@example.com", "A line\r\nBcc: eve@example.com", "Hello")
    newest = max(mail.mailbox().glob("*.eml"))
    message = message_from_bytes(newest.read_bytes(), policy=policy.default)
    assert message["Bcc"] is None
    assert message["Subject"] == "A line Bcc: eve@example.com"


async def test_url_and_signing_secret_are_sealed_and_never_shown_again(org, hook):
    made = await add_channel(org.slug, hook)
    async with org_scope(OPERATOR, org.slug) as scope:
        (listed,) = (await alerts.list_channels(scope)).items
        row = await scope.session.get_one(AlertChannel, made.id)
        stored = f"{row.config} {row.sealed!r} {row.name}"
    assert listed.signing_secret is None
    assert listed.host == "127.0.0.1"
    assert "/hook" not in stored
    assert (made.signing_secret or "") not in stored
    assert "/hook" not in listed.model_dump_json()


async def test_key_rotation_seals_channels_anew(org, hook, monkeypatch, migrated):
    from etlfabric_dagster.security.crypto import generate_key  # noqa: PLC0415

    await add_channel(org.slug, hook)
    keys = [SecretStr(generate_key()), *migrated.fernet_keys]
    with monkeypatch.context() as patch:
        patch.setattr(migrated, "fernet_keys", keys)
        await connections.rotate_credentials(OPERATOR)
        patch.setattr(migrated, "fernet_keys", keys[:1])
        async with org_scope(OPERATOR, org.slug) as scope:
            row = await alerts.find_channel(scope, "hook")
            assert alerts.channel_secrets(row)["url"] == f"{hook.url}/hook"
        patch.setattr(migrated, "fernet_keys", [*keys[1:], keys[0]])
        await connections.rotate_credentials(OPERATOR)


async def test_another_org_sees_no_channel_rule_or_incident(org, hook, make_slug):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    async with org_scope(OPERATOR, other.slug) as scope:
        assert (await alerts.list_channels(scope)).items == ()
        assert (await alerts.list_rules(scope)).items == ()
        assert (await incidents.list_incidents(scope)).items == ()
        with pytest.raises(NotFoundError):
            await alerts.delete_channel(scope, "hook")
        with pytest.raises(NotFoundError):
            await alerts.put_rule(scope, "all", {"channels": ["hook"]})


async def test_channel_that_a_rule_uses_stays(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        with pytest.raises(ConflictError, match="used by all"):
            await alerts.delete_channel(scope, "hook")
        await alerts.delete_rule(scope, "all")
        await alerts.delete_channel(scope, "hook")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"kinds": ["panic"]}, "kinds.0"),
        ({"kinds": []}, "kinds"),
        ({"channels": []}, "channels"),
        ({"quiet_from": "25:00", "quiet_to": "07:00"}, "quiet_from"),
        ({"quiet_from": "22:00"}, "quiet_to"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"pipelines": ["nosuch"]}, "pipelines"),
        ({"stale_after_s": 1}, "stale_after_s"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_rule_that_cannot_be_names_its_field(org, hook, settings, field):
    await add_channel(org.slug, hook)
    with pytest.raises(InvalidInputError) as refused:
        await add_rule(org.slug, **settings)
    assert refused.value.where["field"] == field


@pytest.mark.parametrize(
    "url",
    ["ftp://x.example/", "https://", "not a url", "https://u:p@x.example/", "http://[::1"],
    ids=["scheme", "no-host", "words", "userinfo", "broken-ipv6"],
)
async def test_url_that_cannot_be_called_is_refused(scope, url):
    with pytest.raises(InvalidInputError):
        await alerts.create_channel(scope, "hook", ChannelKind.SLACK, url=url)


@pytest.mark.parametrize("to", [[], ["nobody"], ["a@b.example\nBcc: x@y.example"], ["a@b"] * 21])
async def test_recipients_that_cannot_be_are_refused(scope, to):
    with pytest.raises(InvalidInputError):
        await alerts.create_channel(scope, "mail", ChannelKind.EMAIL, to=to)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T21:30+00:00", "2026-11-24T06:00+00:00"),
        ("2026-11-24T05:59+00:00", "2026-11-24T06:00+00:00"),
        ("2026-11-24T06:00+00:00", "2026-11-24T06:00+00:00"),
        ("2026-11-24T12:00+00:00", "2026-11-24T12:00+00:00"),
        ("2026-10-24T22:30+00:00", "2026-10-25T06:00+00:00"),
    ],
    ids=["evening", "morning", "end", "noon", "clocks-go-back"],
)
def test_quiet_hours_over_midnight_end_in_local_time(at, expected):
    moment = clock.datetime.fromisoformat(at)
    due = alert_texts.due(moment, "22:00", "07:00", "Europe/Berlin")
    assert due == clock.datetime.fromisoformat(expected)


async def test_deleting_an_org_takes_its_alerts(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    await erasures.erase(OPERATOR, org.slug)
    async with get_session() as session:
        query = select(AlertDelivery.id).where(AlertDelivery.org_id == org.id)
        assert await session.scalar(query) is None
        assert take_doorbells(session) == []


async def test_changes_of_channels_and_rules_are_audited_without_secrets(org, hook):
    made = await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await add_rule(org.slug, kinds=["staleness"])
    async with org_scope(OPERATOR, org.slug) as scope:
        events = (await audit.list_events(scope)).items
    mine = [event for event in events if event.action == "alerts.update"]
    assert {event.target for event in mine} == {"alerts/channels/hook", "alerts/rules/all"}
    text = " ".join(event.model_dump_json() for event in mine)
    assert f"{hook.url}/hook" not in text
    assert (made.signing_secret or "-") not in text


async def test_muted_trouble_is_told_to_nobody_until_it_is_unmuted(org, hook):
    await add_channel(org.slug, hook)
    await add_rule(org.slug)
    await end_and_tell(org.slug, FAILED)
    (incident,) = await history(org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert await mutes.count_open(scope) == 1
        await mutes.mute(scope, incident.id, 24)
    await end_and_tell(org.slug, SUCCEEDED)
    await end_and_tell(org.slug, FAILED)
    assert len(hook.asked) == 1

    async with org_scope(OPERATOR, org.slug) as scope:
        assert await mutes.count_open(scope) == 1  # the new one is not the muted one
        await mutes.mute(scope, incident.id, 0)
    await end_and_tell(org.slug, SUCCEEDED)
    assert len(hook.asked) == 2


async def test_muting_takes_no_odd_span_and_no_foreign_incident(org, hook):
    async with org_scope(OPERATOR, org.slug) as scope:
        with pytest.raises(InvalidInputError):
            await mutes.mute(scope, org.id, 24 * 365)
        with pytest.raises(NotFoundError):
            await mutes.mute(scope, org.id, 1)
