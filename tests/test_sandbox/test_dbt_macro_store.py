"""What dbt's macros compile to, kept between starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dbt.contracts.graph.nodes import Macro
from dbt_common.clients.jinja import MacroFuzzEnvironment, get_environment

from etlfabric_dagster.sandbox import dbt_macro_cache, dbt_macro_store
from etlfabric_dagster.sandbox.dbt_macro_store import Kept

TEXT = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept, for this test."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "kept.pickle"
    monkeypatch.setattr(dbt_macro_store, "place", lambda: path)
    return path


@pytest.fixture
def kept() -> Kept:
    macro = Macro(
        name="twice",
        resource_type="macro",  # type: ignore[arg-type]
        package_name="dbt",
        path="twice.sql",
        original_file_path="twice.sql",
        unique_id="macro.dbt.twice",
        macro_sql=TEXT,
    )
    code = get_environment().compile(TEXT)
    key = (MacroFuzzEnvironment, TEXT)
    macros = {("dbt", "twice.sql", TEXT): [macro]}
    return Kept(macros, {TEXT: ["other"]}, {key: code}, {"dbt.Node": {"type": "object"}})


def test_what_is_kept_is_loaded(file: Path, kept: Kept) -> None:
    dbt_macro_store.keep(kept)

    assert dbt_macro_store.load() == kept
    assert [one.name for one in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", b"\x80\x04N."], ids=["empty", "no", "none"]
)
def test_what_cannot_be_read_is_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    assert dbt_macro_store.load() == ({}, {}, {}, {})


def test_nothing_is_kept_where_bytecode_is_not(
    file: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    dbt_macro_store.keep(kept)

    assert not file.exists()


def test_a_folder_that_is_missing_or_closed_is_no_fault(
    file: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_macro_store, "place", lambda: file / "missing" / "kept.pickle")

    dbt_macro_store.keep(kept)

    assert dbt_macro_store.load() == ({}, {}, {}, {})


def test_what_this_process_parsed_survives_the_way_to_disk(file: Path) -> None:
    """Each kind of thing that the cache holds, as dbt makes it."""
    dbt_macro_store.keep(dbt_macro_cache._kept)

    loaded = dbt_macro_store.load()
    assert [len(part) for part in loaded] == [len(part) for part in dbt_macro_cache._kept]


def test_other_versions_keep_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    here = dbt_macro_store.place()
    monkeypatch.setattr(dbt_macro_store, "version", lambda name: f"{name} 99")

    assert dbt_macro_store.place() != here
    assert dbt_macro_store.place().parent == here.parent
