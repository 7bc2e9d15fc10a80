"""The cursor of record streams: nothing lost, nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.cursor import Cursor, lagged
from etlfabric_dagster.connectors.json_records import DataError
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan


class Reader:
    """Runs of one stream; the state goes through JSON between them, as it does in a load."""

    def __init__(self, **plan: Any) -> None:
        plan = {"mode": LoadMode.INCREMENTAL, "cursor": "at"} | plan
        self.plan = StreamPlan(name="orders", table="shop__orders", **plan)
        self.state: dict[str, Any] = {}

    def run(self, *pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        context = ExtractContext(workdir="", state=json.loads(json.dumps(self.state)))
        cursor = Cursor(self.plan, context)
        taken = [r for page in pages for r in cursor.take(page, lambda r: r.get("at"), "page 1")]
        cursor.finish()
        self.state = context.state
        return taken

    @property
    def start(self) -> Any:
        return Cursor(self.plan, ExtractContext(workdir="", state=self.state)).start


def row(at: Any, id: int = 1) -> dict[str, Any]:
    return {"id": id, "at": at}


def test_the_second_run_starts_at_the_last_value_and_leaves_out_older_rows() -> None:
    reader = Reader(primary_key=("id",))
    assert len(reader.run([row(1), row(3, 3), row(2, 2)])) == 3
    assert reader.start == 3
    assert reader.run([row(2, 2), row(4, 4)]) == [row(4, 4)]


def test_a_new_row_with_the_last_cursor_value_is_not_lost() -> None:
    reader = Reader(mode=LoadMode.APPEND)
    reader.run([row("2026-01-01", 1)])
    assert reader.run([row("2026-01-01", 1), row("2026-01-01", 2)]) == [row("2026-01-01", 2)]
    assert reader.run([row("2026-01-01", 1), row("2026-01-01", 2)]) == []


def test_rows_alike_in_every_field_are_counted() -> None:
    reader = Reader(mode=LoadMode.APPEND)
    assert len(reader.run([row(5), row(5)])) == 2
    assert len(reader.run([row(5), row(5), row(5)])) == 1
    assert len(reader.run([row(5), row(5), row(5)])) == 0


def test_with_a_key_a_row_changed_within_the_last_cursor_value_comes_again() -> None:
    reader = Reader(primary_key=("id",))
    reader.run([row("2026-01-01")])
    changed = row("2026-01-01") | {"total": 2}
    assert reader.run([changed]) == [changed]


def test_a_source_that_leaves_out_the_boundary_once_does_not_bring_duplicates_later() -> None:
    reader = Reader(mode=LoadMode.APPEND)
    reader.run([row(5, 1)])
    reader.run([])
    assert reader.run([row(5, 1)]) == []


def test_moments_are_compared_as_moments() -> None:
    reader = Reader(primary_key=("id",))
    reader.run([row("2026-01-01T10:00:00Z")])
    late = [row("2026-01-01T10:00:00.5Z", 2), row("2026-01-01T12:30:00+02:00", 3)]
    assert reader.run(late) == late
    assert reader.start == "2026-01-01T12:30:00+02:00"


@pytest.mark.parametrize(
    ("value", "lag_s", "start"),
    [
        ("2026-01-01T10:00:00Z", 60, "2026-01-01T09:59:00Z"),
        ("2026-01-01T10:00:00.250+02:00", 60, "2026-01-01T09:59:00.250000+02:00"),
        ("2026-01-01 10:00:00", 60, "2026-01-01 09:59:00"),
        ("2026-01-02", 3600, "2026-01-01"),
        (1000, 60, 940),
        (5, 0, 5),
    ],
)
def test_the_lag_window_keeps_the_form_of_the_cursor(value: Any, lag_s: float, start: Any) -> None:
    assert lagged(value, lag_s) == start


def test_rows_in_the_lag_window_come_again_with_a_key_and_not_without() -> None:
    keyed, plain = Reader(primary_key=("id",), lag_s=10), Reader(mode=LoadMode.APPEND, lag_s=10)
    first, late = [row(100, 1), row(95, 2)], row(92, 3)
    for reader in (keyed, plain):
        reader.run(first)
        assert reader.start == 90
    assert keyed.run([*first, late]) == [*first, late]
    assert plain.run([*first, late, row(80, 9)]) == [late]
    assert plain.run([*first, late, row(101, 4)]) == [row(101, 4)]


def test_an_initial_value_leaves_out_what_is_older() -> None:
    reader = Reader(primary_key=("id",), initial_value="2026-01-01")
    assert reader.start == "2026-01-01"
    rows = [row("2025-12-31T23:59:59Z"), row("2026-01-01T00:00:00Z", 2)]
    assert reader.run(rows) == rows[1:]


def test_a_row_without_a_cursor_stops_the_stream_and_says_so() -> None:
    reader = Reader()
    with pytest.raises(DataError) as refused:
        reader.run([row(1), row(None), {"id": 3}])
    assert refused.value.code == "cursor_nulls"
    assert "2 rows of orders have no at" in refused.value.message
    assert "Nothing of orders was loaded" in refused.value.message
    assert reader.state == {}


def test_cursors_of_two_kinds_are_refused() -> None:
    with pytest.raises(DataError, match="is text, and was a number before"):
        Reader().run([row(1), row("x")])


def test_a_full_refresh_and_another_cursor_start_over() -> None:
    reader = Reader(primary_key=("id",))
    reader.run([row(5)])
    reader.plan = reader.plan.model_copy(update={"full_refresh": True})
    assert reader.run([row(1)]) == [row(1)]
    other = Reader(cursor="created")
    other.state = reader.state
    assert other.start is None


def test_what_is_remembered_stays_small_over_many_rows() -> None:
    reader = Reader(mode=LoadMode.APPEND)
    reader.run([row(n, n) for n in range(120_000)])
    assert len(reader.state["orders"]["seen"]) == 1
