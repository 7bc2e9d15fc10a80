"""Uploads, export and BI access over HTTP."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from etlfabric_dagster import storage


async def test_upload_is_streamed_listed_replaced_and_deleted(desk):
    async def chunks():
        for _ in range(5 * 16):  # 5 MiB, more than a body may have elsewhere
            yield b"x" * 65536

    made = await desk("PUT", "uploads/big file.csv", content=chunks())
    assert (made.status_code, made.json()["size_bytes"]) == (200, 5 * 2**20)
    again = await desk("PUT", "uploads/big file.csv", content=b"id\n1\n")
    assert again.json()["size_bytes"] == 5
    listed = (await desk("GET", "uploads")).json()["items"]
    assert [(one["name"], one["size_bytes"]) for one in listed] == [("big file.csv", 5)]
    assert (await desk("DELETE", "uploads/big file.csv")).status_code == 204
    gone = await desk("DELETE", "uploads/big file.csv")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["%2e%2e", ".hidden", "a%00b", "..%2fx", "é" * 201, "a%0Ab"])
async def test_upload_needs_a_plain_name(desk, name):
    answer = await desk("PUT", f"uploads/{name}", content=b"x")
    assert answer.status_code in (404, 405, 422)  # clients resolve dots
    assert answer.json()["remedy"]


async def test_upload_above_the_limit_is_refused(desk, monkeypatch):
    monkeypatch.setattr(storage, "MAX_UPLOAD_BYTES", 10)
    answer = await desk("PUT", "uploads/long.csv", content=b"x" * 11)
    assert (answer.status_code, answer.json()["where"]) == (413, {"limit_bytes": 10})
    assert (await desk("GET", "uploads")).json()["items"] == []


async def test_viewer_is_refused_before_the_file_is_read(client, people):
    async def never():
        raise AssertionError("the body was read")
        yield b""

    path = f"/orgs/{people.org.slug}/uploads/a.csv"
    answer = await client.put(path, headers=people.viewer.headers, content=never())
    assert (answer.status_code, answer.json()["where"]["action"]) == (403, "uploads.put")


async def test_export_is_an_archive_for_owners(desk, client, people):
    answer = await desk("GET", "export")
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        names = archive.getnames()
        described = archive.extractfile(f"{desk.org.slug}/org.json")
        assert described is not None
        found = json.load(described)
    assert f"{desk.org.slug}/dbt/staging/stg_orders.sql" in names
    assert "shop" in [one["name"] for one in found["connections"]]
    refused = await client.get(f"/orgs/{people.org.slug}/export", headers=people.admin.headers)
    assert (refused.status_code, refused.json()["where"]["action"]) == (403, "orgs.export")


async def test_bi_password_is_shown_when_it_is_rolled_only(desk, client, people):
    rolled = (await desk("POST", "bi-credentials/roll")).json()
    assert rolled["password"]
    assert (await desk("GET", "bi-credentials")).json()["password"] is None
    refused = await client.get(
        f"/orgs/{people.org.slug}/bi-credentials", headers=people.editor.headers
    )
    assert refused.status_code == 403
