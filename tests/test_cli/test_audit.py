"""`etlfabric audit` on a real log."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from etlfabric_dagster.cli.audit import app
from etlfabric_dagster.errors import NotFoundError

RUNNER = CliRunner()


@pytest.fixture
def invoke(migrated):
    def call(*args: str):
        return RUNNER.invoke(app, args)

    return call


def test_list_tells_who_made_the_org(invoke, org):
    done = invoke("list", org.slug, "--json")
    (event,) = json.loads(done.stdout)["items"]
    assert (event["action"], event["actor"], event["via"]) == ("orgs.create", "operator", "cli")


def test_list_of_an_unknown_org_is_refused(invoke):
    assert isinstance(invoke("list", "nobody_has_it").exception, NotFoundError)


def test_verify_counts_what_holds(invoke, org):
    done = invoke("verify", "--json")
    report = json.loads(done.stdout)
    others = [one for one in report["broken"] if one["org"] != org.slug]  # made by other tests
    assert report["broken"] == others
    assert (done.exit_code == 0, report["ok"]) == (not others, not others)
    assert report["events"] >= 1
