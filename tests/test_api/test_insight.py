"""Alerts, usage and overview over HTTP."""

from __future__ import annotations

import pytest

RULE = {"channels": ["pager"], "kinds": ["failure"]}


async def test_editor_makes_a_rule_that_a_viewer_reads_and_may_not_change(
    client, people, interactive_worker
):
    path, editor = f"/orgs/{people.org.slug}/alerts", people.editor.headers
    given = {"name": "pager", "kind": "email", "to": ["ops@example.com"]}
    made = await client.post(f"{path}/channels", headers=editor, json=given)
    assert made.status_code == 201, made.text
    rule = await client.put(f"{path}/rules/nights", headers=editor, json=RULE)
    assert rule.json()["channels"] == ["pager"]
    assert (await client.post(f"{path}/channels/pager/test", headers=editor)).json()["ok"]
    viewer = people.viewer.headers
    listed = await client.get(f"{path}/rules", headers=viewer)
    assert "nights" in [one["name"] for one in listed.json()["items"]]
    for refused in (
        await client.put(f"{path}/rules/nights", headers=viewer, json=RULE),
        await client.delete(f"{path}/rules/nights", headers=viewer),
        await client.post(f"{path}/channels", headers=viewer, json=given),
        await client.delete(f"{path}/channels/pager", headers=viewer),
        await client.post(f"{path}/channels/pager/test", headers=viewer),
    ):
        assert refused.status_code == 403, refused.text
    used = await client.delete(f"{path}/channels/pager", headers=editor)
    assert used.status_code == 409
    assert (await client.delete(f"{path}/rules/nights", headers=editor)).status_code == 204
    assert (await client.delete(f"{path}/channels/pager", headers=editor)).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "alerts/incidents",
        "alerts/channels",
        "alerts/rules",
        "usage",
        "overview",
        "overview/pipelines",
        "data",
        "lineage",
        "dbt-history?path=marts/one.sql",
    ],
)
async def test_stranger_reads_a_foreign_org_as_missing(client, people, path):
    url = f"/orgs/{people.org.slug}/{path}"
    assert (await client.get(url, headers=people.stranger.headers)).status_code == 404
    assert (await client.get(url, headers=people.viewer.headers)).status_code == 200


async def test_quota_is_set_by_operators_only(client, people):
    url, limits = f"/orgs/{people.foreign.slug}/usage/quota", {"rows_per_month": 5}
    refused = await client.put(url, headers=people.stranger.headers, json=limits)
    assert refused.status_code == 403
    done = await client.put(url, headers=people.operator.headers, json=limits)
    assert done.json()["rows_per_month"] == 5


async def test_webhook_secret_is_in_the_first_answer_only(client, people):
    path, editor = f"/orgs/{people.org.slug}/alerts/channels", people.editor.headers
    given = {"name": "hook", "kind": "webhook", "url": "https://hooks.example.com/T0/key"}
    made = await client.post(path, headers=editor, json=given)
    assert made.json()["signing_secret"].startswith("whsec_")
    listed = await client.get(path, headers=editor)
    assert "T0/key" not in listed.text
    assert listed.json()["items"][0]["signing_secret"] is None
    await client.delete(f"{path}/hook", headers=editor)


async def test_metrics_carry_pipelines_beside_the_install(client, people, monkeypatch):
    headers = people.operator.headers
    answer = await client.get("http://api.test/metrics", headers=headers)
    assert "# TYPE etlfabric_pipeline_rows_loaded_total counter" in answer.text
    names = [line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "view", ["", "/rows", "/profile", "/csv"], ids=["detail", "rows", "profile", "csv"]
)
async def test_table_that_is_not_there_is_missing_before_an_answer_begins(client, people, view):
    url = f"/orgs/{people.org.slug}/data/marts/nosuch{view}"
    answer = await client.get(url, headers=people.viewer.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_viewer_may_not_edit_streams_in_bulk(client, people):
    url = f"/orgs/{people.org.slug}/streams/edit"
    given = {"pipeline": "shop", "change": {"selected": True}}
    answer = await client.post(url, headers=people.viewer.headers, json=given)
    assert answer.status_code == 403
