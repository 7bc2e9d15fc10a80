"""What the settings and the operators' pages say, from values to words."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from etlfabric_dagster.embedded.stack import ProcessStatus, StackStatus
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.alerts import AlertKind, DeliveryOut, IncidentOut, RuleOut
from etlfabric_dagster.schemas.audit import AuditEventOut
from etlfabric_dagster.schemas.fleet import FleetLoad
from etlfabric_ui.state.account import device
from etlfabric_ui.state.alerts import incident_row, rule_row, rule_settings, told
from etlfabric_ui.state.base import moment
from etlfabric_ui.state.operator import control_rows, process_rows, queue_words
from etlfabric_ui.state.settings_record import action_words, as_csv, audit_row, changes
from etlfabric_ui.state.zones import use_zone
from tests.test_ui.spoken import plain

NOW = datetime(2026, 11, 23, 13, 2, 10, tzinfo=UTC)
ID = UUID("70f9b5c4-fb48-4a00-b397-cab5a3851c0e")


def event(**given: object) -> AuditEventOut:
    facts = {
        "id": ID,
        "seq": 1,
        "at": NOW,
        "action": "members.update",
        "actor_id": None,
        "actor": "pat@example.com",
        "via": "ui",
        "address": "127.0.0.1",
        "target": "members/sam@example.com",
        "before": {"role": "viewer"},
        "after": {"role": "editor"},
    }
    return AuditEventOut.model_validate(facts | given)


def test_change_reads_as_what_was_and_what_is() -> None:
    row = audit_row(event())

    assert (row.who, row.what, row.target) == (
        "pat@example.com",
        "Updated member",
        "sam@example.com",
    )
    assert (row.place, row.changes) == ("panel, 127.0.0.1", "role: viewer → editor")


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("connections.create", "Created connection"),
        ("dbt_models.put", "Saved dbt model"),
        ("alerts.update", "Updated alert settings"),
        ("bi.roll", "Rolled BI password"),
        ("orgs.set_quota", "Set the quota of org"),
    ],
)
def test_action_is_told_in_words(action: str, words: str) -> None:
    assert action_words(action) == words


def test_what_says_nothing_is_left_out_and_ids_are_short() -> None:
    selection = {"checks": None, "full_refresh": [], "streams": ["orders"]}
    row = audit_row(
        event(target=f"runs/{ID}", before=None, after={"id": str(ID), "selection": selection})
    )

    assert (row.target, row.changes) == ("70f9b5c4", "selection: streams orders")
    assert changes({"zone": None}, {"zone": "UTC"}) == "zone: nothing → UTC"
    assert changes(None, {"lines": 48, "sha256": "a7f2a767"}) == "lines: 48"


def test_download_is_a_table_in_which_nothing_is_a_formula() -> None:
    [head, row] = csv.reader(io.StringIO(as_csv([event(actor="=cmd()", before=None, after=None)])))

    assert head[:3] == ["at", "actor", "action"]
    assert row[1] == "'=cmd()"
    assert row[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/130 Safari/537",
            "Chrome on Linux",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/17 Safari/605", "Safari on macOS"),
        ("python-httpx/0.28", "Python"),
        ("etlfabric/1", "etlfabric"),
        ("", "Unknown device"),
    ],
)
def test_device_is_named_as_far_as_it_says(user_agent: str, said: str) -> None:
    assert device(user_agent) == said


def incident(**given: object) -> IncidentOut:
    facts = {
        "id": ID,
        "rule": "failures",
        "kind": "failure",
        "pipeline": "shop",
        "run_id": ID,
        "message": "db.acme.io refused the login.",
        "remedy": "Check the password.",
        "occurrences": 3,
        "opened_at": NOW - timedelta(hours=3),
        "last_seen_at": NOW,
        "notified_at": NOW,
        "recovered_at": None,
    }
    return IncidentOut.model_validate(facts | given)


def test_incident_tells_what_since_when_how_often_and_who_heard() -> None:
    deliveries = (
        DeliveryOut(channel="team", event="opened", status="sent", attempts=1),
        DeliveryOut(channel="ops", event="opened", status="failed", attempts=6, error="401"),
    )
    row = incident_row(incident(deliveries=deliveries))

    assert (row.state, row.what, row.repeated) == ("failing", "failing", "3 times")
    assert row.told == "told: team; ops failed: 401"
    assert told(incident()) == "told: nobody"


def test_muting_that_has_ended_is_not_shown() -> None:
    assert incident_row(incident(muted_until=NOW - timedelta(days=900))).muted.iso == ""
    assert incident_row(incident(muted_until=NOW + timedelta(days=9000))).muted.iso != ""
    assert incident_row(incident(recovered_at=NOW)).state == "healthy"


def test_rule_reads_back_as_what_its_form_said() -> None:
    use_zone("Europe/Berlin")
    given = {
        "kind.failure": "on",
        "kind.staleness": "on",
        "channel.team": "on",
        "only": "shop, crm",
        "stale_h": "1,5",
        "quiet_from": "22:00",
        "quiet_to": "06:00",
        "enabled": "on",
    }
    settings = rule_settings(given)
    out = RuleOut.model_validate(
        settings | {"id": ID, "name": "late", "created_at": NOW, "updated_at": NOW}
    )
    row = rule_row(out)
    use_zone("UTC")

    assert settings["kinds"] == [AlertKind.FAILURE, AlertKind.STALENESS]
    assert (plain(row.when), row.pipelines) == ("Failure, stale for 1 h 30 min", "shop, crm")
    assert (row.quiet, row.stale_h) == ("22:00 to 06:00 (Europe/Berlin)", "1.5")
    assert row.channels == ["team"]


def test_hours_that_are_no_number_are_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="“soon” is no number of hours"):
        rule_settings({"stale_h": "soon"})


def test_queue_names_the_org_that_waits_longest() -> None:
    load = FleetLoad(
        queued=14,
        running=7,
        oldest_wait_s=38,
        oldest_org="globex",
        overdue_leases=1,
        interactive_waiting=0,
    )

    assert plain(queue_words(load)) == (
        "7 runs going · queue 14, oldest waits 38 s (globex) · 1 lease overdue"
    )


def test_control_that_is_off_comes_first_and_says_why() -> None:
    found = StackStatus(
        processes=(ProcessStatus(name="worker", pid=None, healthy=False, detail="not running"),),
        controls={"home_private": "on", "sandbox_without_network": "off: no namespaces"},
        urls={},
    )

    assert [(row.name, row.state, row.detail) for row in control_rows(found)] == [
        ("dbt without network", "off", "no namespaces"),
        ("Home readable by its user only", "on", ""),
    ]
    assert [row.state for row in process_rows(found)] == ["failing"]


def test_times_are_told_in_the_zone_of_the_org() -> None:
    use_zone("Europe/Berlin")
    shown = moment(NOW).full
    use_zone("UTC")

    assert shown == "Nov 23, 2026, 14:02:10 CET (13:02:10 UTC)"
