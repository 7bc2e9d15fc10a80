"""Values, differences and paths as pages show them."""

from __future__ import annotations

import pytest

from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_ui import routes
from etlfabric_ui.server.__main__ import page_of
from etlfabric_ui.state import diffs, results
from etlfabric_ui.state.dbt_models import path_in
from etlfabric_ui.views.data import Cell


def test_null_empty_text_and_numbers_are_told_apart() -> None:
    columns = (ColumnInfo(name="a", type="text"), ColumnInfo(name="b", type="numeric(12,2)"))
    rows = ((None, None), ("", "1.50"), ("NULL", "2"))
    assert results.cells(TableResult(columns=columns, rows=rows)) == [
        [Cell("NULL", "null"), Cell("NULL", "null num")],
        [Cell("''", "null"), Cell("1.50", "num")],
        [Cell("NULL"), Cell("2", "num")],
    ]


def test_long_values_are_cut_and_say_so() -> None:
    assert results.cell("x" * 201).text == "x" * 200 + "…"
    assert results.cell("x" * 200).text == "x" * 200


def test_differences_stand_side_by_side() -> None:
    rows = diffs.side_by_side("a\nb\nc\n", "a\nB\nc\nd\n")
    assert [(row.left, row.right, row.kind) for row in rows] == [
        ("a", "a", ""),
        ("b", "B", "changed"),
        ("c", "c", ""),
        ("", "d", "added"),
    ]
    assert diffs.side_by_side("same", "same") == []


def test_far_lines_are_folded() -> None:
    text = "\n".join(str(n) for n in range(50))
    rows = diffs.side_by_side(text, text.replace("40", "forty"))
    assert rows[0].kind == "fold"
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://x/o/acme/dbt-models", ""),
        ("http://x/o/acme/dbt-models/", ""),
        ("http://x/o/acme/dbt-models/marts/a.sql?panel=tests", "marts/a.sql"),
        ("http://x/o/acme/dbt-models/marts/deep/b.sql", "marts/deep/b.sql"),
    ],
    ids=["none", "slash", "file", "deep"],
)
def test_a_url_names_its_file(url: str, path: str) -> None:
    assert path_in(url) == path


@pytest.mark.parametrize("tail", ["", "/marts/a.sql", "/marts/deep/b.sql"])
def test_every_depth_of_files_is_answered_by_their_page(tail: str) -> None:
    assert page_of(f"/o/acme/dbt-models{tail}") in (routes.DBT_MODEL, routes.DBT_MODELS)
    assert page_of(f"/o/acme/nosuch{tail}") is None
