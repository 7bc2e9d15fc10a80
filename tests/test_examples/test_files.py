"""Uploaded files, from the command line to a staging model, as a person would do it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import Stack

ORG = "paper_mill"


@pytest.fixture(scope="module")
def folder(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An org with two uploads, a connection that reads them, and a pipeline over all streams."""
    folder = tmp_path_factory.mktemp("files")
    stack.cli("orgs", "create", ORG, "--name", "Paper Mill")
    put(stack, folder, "prices_1.csv", "id,Zip,price\n1,00123,2.50\n2,00456,\n")
    put(stack, folder, "events.jsonl", '{"at": "2026-01-01T00:00:00Z", "user": {"id": 1}}\n')
    config = {
        "bucket_url": "uploads://",
        "streams": [
            {"name": "prices", "glob": "prices_*.csv", "format": "csv"},
            {"name": "events", "glob": "*.jsonl", "format": "jsonl"},
        ],
    }
    (folder / "config.json").write_text(json.dumps(config))
    create = ("connections", "create", ORG, "files", "--connector", "filesystem")
    stack.cli(*create, "--config", str(folder / "config.json"))
    pipeline = ("pipelines", "create", ORG, "files", "--connection", "files")
    stack.cli(*pipeline, "--streams", "all")
    return folder


def put(stack: Stack, folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    stack.cli("uploads", "put", ORG, str(folder / name))


def run(stack: Stack, ok: bool = True) -> dict[str, Any]:
    return stack.cli("runs", "start", ORG, "files", "--wait", ok=ok)


def rows(stack: Stack, sql: str) -> list[list[Any]]:
    return stack.cli("query", ORG, sql)["rows"]


def test_files_are_loaded_typed_then_followed_and_a_bad_line_is_named(
    stack: Stack, folder: Path
) -> None:
    assert stack.cli("connections", "check", ORG, "files")["ok"]
    first = run(stack)
    assert {name: s["rows"] for name, s in first["streams"].items()} == {"prices": 2, "events": 1}
    found = rows(stack, "select id, zip, price::text from stg_prices order by id")
    assert found == [[1, "00123", "2.50"], [2, "00456", None]]

    put(stack, folder, "prices_2.csv", "id,Zip,price\n2,00456,3\n3,00789,4.25\n")
    second = run(stack)
    assert second["streams"]["prices"]["rows"] == 2, "the first file was read again"
    found = rows(stack, "select id, price::text from stg_prices order by id")
    assert found == [[1, "2.50"], [2, "3"], [3, "4.25"]]

    put(stack, folder, "prices_3.csv", "id,Zip,price\n4,00001\n")
    failed = run(stack, ok=False)
    assert failed["status"] == "failed"
    error = failed["streams"]["prices"]["error"] or failed["error"]
    assert "prices_3.csv, line 2 has 2 values; the header has 3" in error["message"]
    assert failed["streams"]["events"]["status"] in ("succeeded", "unchanged")
    assert len(rows(stack, "select id from stg_prices")) == 3
