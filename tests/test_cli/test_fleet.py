"""Many orgs on the command line."""

from __future__ import annotations

import json

import pytest


def test_orgs_of_a_csv_file_are_created_and_then_exist(etlfabric, make_slug, tmp_path):
    slug, file = make_slug(), tmp_path / "orgs.csv"
    columns = "slug,name,connection.name,connection.connector,connection.config.bucket_url"
    file.write_text(f"{columns}\n{slug},Acme Inc.,,,\n")
    assert etlfabric("orgs", "create", "--from-file", file, "--json").json["created"] == [slug]
    again = etlfabric("orgs", "create", "--from-file", file, "--json").json
    assert (again["created"], again["existing"]) == ([], [slug])


@pytest.mark.parametrize("suffix", ["jsonl", "yaml"])
def test_list_that_fails_in_part_ends_with_status_1(etlfabric, make_slug, tmp_path, suffix):
    good, bad = make_slug(), make_slug()
    entries = [
        {"slug": good, "name": "Good"},
        {"slug": bad, "name": "Bad", "connection": {"name": "x", "connector": "none"}},
    ]
    lines = [json.dumps(entry) for entry in entries]
    file = tmp_path / f"orgs.{suffix}"
    file.write_text("\n".join(lines if suffix == "jsonl" else [f"- {line}" for line in lines]))
    answer = etlfabric("orgs", "create", "--from-file", file, "--json")
    assert answer.status == 1
    assert answer.json["created"] == [good]
    assert [one["slug"] for one in answer.json["failed"]] == [bad]


def test_entry_that_cannot_be_one_is_named_and_its_secret_is_not(etlfabric, tmp_path):
    file = tmp_path / "orgs.jsonl"
    entry = {"slug": "Bad Slug", "name": "x", "connection": {"secrets": {"password": "hunter22"}}}
    file.write_text(json.dumps(entry))
    refused = etlfabric("orgs", "create", "--from-file", file)
    assert refused.status == 1
    assert "Entry 1" in refused.err
    assert "hunter22" not in refused.err + refused.out


def test_slug_and_file_together_are_bad_usage(etlfabric, tmp_path):
    assert etlfabric("orgs", "create", "acme", "--from-file", tmp_path / "x.csv").status == 2


def test_fleet_status_lists_orgs_and_totals(etlfabric, make_slug):
    slug = make_slug()
    etlfabric("orgs", "create", slug, "--name", "Acme", "--json")
    found = etlfabric("fleet", "status", "--json").json
    assert slug in [item["slug"] for item in found["items"]]
    assert found["totals"]["orgs"] == len(found["items"])
    assert slug in etlfabric("fleet", "status").out


def test_an_orgs_share_is_changed(etlfabric, make_slug):
    slug = make_slug()
    etlfabric("orgs", "create", slug, "--name", "Acme", "--json")
    shares = ("--max-concurrent-runs", "7", "--weight", "3")
    changed = etlfabric("orgs", "update", slug, *shares, "--json").json
    assert (changed["max_concurrent_runs"], changed["weight"]) == (7, 3)
