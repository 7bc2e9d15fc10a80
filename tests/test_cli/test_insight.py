"""Alerts, usage and overview at the command line."""

from __future__ import annotations

from etlfabric_dagster.services.mail import mailbox


def test_rule_by_mail_from_channel_to_test_message(etlfabric, make_slug, interactive_worker):
    slug = make_slug()
    etlfabric("orgs", "create", slug, "--name", "Org")
    made = etlfabric(
        "alerts", "add-channel", slug, "ops", "email", "--to", "ops@example.com", "--json"
    )
    assert made.json["to"] == ["ops@example.com"]
    rule = etlfabric(
        *("alerts", "set-rule", slug, "nights", "--channel", "ops", "--kind", "failure"),
        *("--quiet-from", "22:00", "--quiet-to", "07:00", "--json"),
    )
    assert rule.json["kinds"] == ["failure"]
    kept = len(list(mailbox().glob("*.eml")))
    assert etlfabric("alerts", "test", slug, "ops").status == 0
    assert len(list(mailbox().glob("*.eml"))) == kept + 1
    assert etlfabric("alerts", "remove-channel", slug, "ops").status == 1
    assert etlfabric("alerts", "remove-rule", slug, "nights").status == 0
    assert etlfabric("alerts", "list", slug, "--json").json == {"items": [], "next": None}


def test_webhook_url_comes_from_a_file_and_its_secret_is_shown_once(etlfabric, make_slug, tmp_path):
    slug = make_slug()
    etlfabric("orgs", "create", slug, "--name", "Org")
    file = tmp_path / "url"
    file.write_text("https://hooks.example.com/T0/secret\n")
    made = etlfabric("alerts", "add-channel", slug, "hook", "webhook", "--url-file", file, "--json")
    assert made.json["signing_secret"].startswith("whsec_")
    listed = etlfabric("alerts", "channels", slug, "--json")
    assert listed.json["items"][0]["host"] == "hooks.example.com"
    assert "secret" not in listed.out.replace("signing_secret", "")


def test_usage_and_overview_of_a_new_org_are_empty(etlfabric, make_slug):
    slug = make_slug()
    etlfabric("orgs", "create", slug, "--name", "Org")
    assert etlfabric("usage", slug, "--json").json["total"]["rows"] == 0
    assert etlfabric("usage", slug, "--from", "2026-02-01", "--to", "2026-01-01").status == 1
    assert "0 pipelines" in etlfabric("overview", slug).out
    etlfabric("quotas", "set", slug, "--rows-per-month", "10")
    assert etlfabric("quotas", "show", slug, "--json").json["rows_per_month"] == 10
