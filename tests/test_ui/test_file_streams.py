"""An uploaded file becomes a stream, once."""

from __future__ import annotations

import json

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_ui.state import file_streams


def names(streams: str) -> list[tuple[str, str, str]]:
    return [(one["name"], one["glob"], one["format"]) for one in json.loads(streams)]


def test_each_file_becomes_a_stream_named_after_it() -> None:
    made = file_streams.with_files("", ["Orders 2026.csv", "events.jsonl.gz", "2024.parquet"])

    assert names(made) == [
        ("orders_2026", "Orders 2026.csv", "csv"),
        ("events", "events.jsonl.gz", "jsonl"),
        ("file_2024", "2024.parquet", "parquet"),
    ]


def test_made_streams_are_a_valid_connection() -> None:
    made = file_streams.with_files("", ["Orders  2026 (final).csv", "orders_2026_final.csv"])
    config = {"bucket_url": file_streams.UPLOADS, "streams": json.loads(made)}

    validate_connection(registry.get(file_streams.CONNECTOR).spec, config, {})
    assert len({name for name, _, _ in names(made)}) == 2


def test_file_that_a_stream_reads_already_is_left_to_it() -> None:
    mine = json.dumps([{"name": "orders", "glob": "orders_*.csv", "format": "csv"}])

    assert names(file_streams.with_files(mine, ["orders_11.csv"])) == [
        ("orders", "orders_*.csv", "csv")
    ]


def test_other_files_and_text_that_is_no_list_are_left_alone() -> None:
    assert file_streams.with_files("", ["notes.txt"]) == ""
    assert file_streams.with_files("[not json", ["orders.csv"]) == "[not json"


def test_removed_file_takes_its_stream_along_and_no_other() -> None:
    made = file_streams.with_files("", ["a.csv", "b.csv"])

    assert names(file_streams.without_file(made, "a.csv")) == [("b", "b.csv", "csv")]
    assert file_streams.without_file(file_streams.with_files("", ["a.csv"]), "a.csv") == ""
