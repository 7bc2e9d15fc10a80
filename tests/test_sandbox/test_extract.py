"""Loading streams into a tenant's real schemas: modes, state, failures, dropped tables."""

from __future__ import annotations

import pytest

from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.test_sandbox.bench import ALL, FORMS, TYPES, Bench, orders, plan


@pytest.mark.parametrize("form", FORMS)
def test_full_replaces_everything(bench: Bench, form: str) -> None:
    first = bench.run(orders((1, "a", 1), (2, None, 2), form=form), plan(LoadMode.FULL))
    assert (first["orders"].status, first["orders"].rows) == ("succeeded", 2), first
    assert bench.rows(ALL) == [(1, "a", 1), (2, None, 2)]
    second = bench.run(orders((2, "", 3), (3, "c", 3), form=form), plan(LoadMode.FULL))
    assert second["orders"].rows == 2
    assert bench.rows(ALL) == [(2, "", 3), (3, "c", 3)]


@pytest.mark.parametrize("form", FORMS)
def test_incremental_merges_by_key(bench: Bench, form: str) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    bench.run(orders((1, "a", 1), (2, "b", 2), form=form), by_key)
    second = bench.run(orders((1, "a", 1), (2, "b2", 3), (3, "c", 4), form=form), by_key)
    assert second["orders"].rows == 2
    assert bench.rows(ALL) == [(1, "a", 1), (2, "b2", 3), (3, "c", 4)]


@pytest.mark.parametrize("form", FORMS)
def test_incremental_without_key_appends(bench: Bench, form: str) -> None:
    by_cursor = plan(LoadMode.INCREMENTAL, cursor="at")
    bench.run(orders((1, "a", 1), form=form), by_cursor)
    bench.run(orders((1, "a", 1), (1, "a2", 2), form=form), by_cursor)
    assert bench.rows(ALL) == [(1, "a", 1), (1, "a2", 2)]


@pytest.mark.parametrize("form", FORMS)
def test_merge_needs_no_cursor(bench: Bench, form: str) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    bench.run(orders((1, "a", 1), (2, "b", 2), form=form), by_key)
    bench.run(orders((2, "b2", 2), (3, "c", 3), form=form), by_key)
    assert bench.rows(ALL) == [(1, "a", 1), (2, "b2", 2), (3, "c", 3)]


def test_nested_rows_merge_with_their_root_and_leave_no_table_behind(bench: Bench) -> None:
    """Without the right to create temporary tables: ADR 4."""
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    row = {"id": 1, "lines": [{"sku": "a", "notes": [{"n": "x"}]}, {"sku": "b"}]}
    typed = {"form": "items", "types": {"id": "bigint"}}
    bench.run({"orders": typed | {"rows": [row, {"id": 2, "lines": [{"sku": "c"}]}]}}, by_key)
    bench.run({"orders": typed | {"rows": [{"id": 1, "lines": [{"sku": "d"}]}]}}, by_key)

    assert bench.rows("SELECT sku FROM shop__orders__lines ORDER BY sku") == [("c",), ("d",)]
    assert bench.rows("SELECT count(*) FROM shop__orders__lines__notes") == [(0,)]
    left = (
        "SELECT relname FROM pg_class WHERE relpersistence = 'u' OR relname ~ '_(delete|insert)_'"
    )
    assert bench.rows(f"{left} AND relkind = 'r'") == []


@pytest.mark.parametrize("form", FORMS)
def test_scd2_keeps_versions(bench: Bench, form: str) -> None:
    history = plan(LoadMode.SCD2, primary_key=("id",))
    bench.run(orders((1, "a", 1), (2, "b", 1), form=form), history)
    bench.run(orders((1, "a", 1), (2, "b2", 1), form=form), history)
    bench.run(orders((1, "a", 1), (2, "b2", 1), form=form), history)
    found = bench.rows("SELECT id, name, _dlt_valid_to IS NULL FROM shop__orders ORDER BY id, name")
    assert found == [(1, "a", True), (2, "b", False), (2, "b2", True)]


@pytest.mark.parametrize("form", FORMS)
def test_full_refresh_of_scd2_starts_history_again(bench: Bench, form: str) -> None:
    history = plan(LoadMode.SCD2, primary_key=("id",))
    bench.run(orders((1, "a", 1), form=form), history)
    bench.run(orders((1, "b", 1), form=form), history.model_copy(update={"full_refresh": True}))
    assert bench.rows("SELECT name, _dlt_valid_to FROM shop__orders") == [("b", None)]
    bench.run(orders((1, "b", 1), form=form), history)
    assert bench.rows("SELECT count(*) FROM shop__orders") == [(1,)]


@pytest.mark.parametrize("mode", [LoadMode.INCREMENTAL, LoadMode.APPEND])
@pytest.mark.parametrize("form", FORMS)
def test_full_refresh_reads_from_the_start_and_replaces(
    bench: Bench, form: str, mode: LoadMode
) -> None:
    key = ("id",) if mode is LoadMode.INCREMENTAL else ()
    by_cursor = plan(mode, cursor="at", primary_key=key)
    bench.run(orders((1, "a", 1), (9, "gone", 2), form=form), by_cursor)
    refresh = by_cursor.model_copy(update={"full_refresh": True})
    bench.run(orders((1, "a", 1), (2, "b", 2), form=form), refresh)
    assert bench.rows(ALL) == [(1, "a", 1), (2, "b", 2)]
    bench.run(orders((2, "b", 2), (3, "c", 3), form=form), by_cursor)
    assert bench.rows(ALL) == [(1, "a", 1), (2, "b", 2), (3, "c", 3)]


@pytest.mark.parametrize("form", FORMS)
def test_state_comes_back_from_the_destination(bench: Bench, form: str) -> None:
    by_cursor = plan(LoadMode.APPEND, cursor="at")
    bench.run(orders((1, "a", 1), form=form), by_cursor)
    result = bench.run(orders((1, "a", 1), (2, "b", 2), form=form), by_cursor, cached=False)
    assert result["orders"].rows == 1
    assert bench.rows(ALL) == [(1, "a", 1), (2, "b", 2)]


@pytest.mark.parametrize("form", FORMS)
def test_unchanged_stream_never_enters_dlt(bench: Bench, form: str) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    bench.run(orders((1, "a", 1), form=form), by_key)
    loads = bench.rows("SELECT count(*) FROM _dlt_loads")
    again = bench.run(orders((1, "a", 1), form=form), by_key)["orders"]
    assert (again.status, again.rows) == ("unchanged", 0)
    assert again.tables[0].primary_key == ("id",)
    assert bench.rows("SELECT count(*) FROM _dlt_loads") == loads
    moved = bench.run(orders((1, "a", 1), (2, "b", 2), form=form), by_key)["orders"]
    assert (moved.status, moved.rows) == ("succeeded", 1)


@pytest.mark.parametrize("form", FORMS)
def test_a_failing_stream_does_not_stop_the_others(bench: Bench, form: str) -> None:
    config = orders((1, "a", 1), form=form) | {
        name: {"rows": [{"id": 1, "name": "x", "at": 1}], "form": form, "types": TYPES}
        for name in ("bad", "late")
    }
    config["bad"]["after"] = "fail"
    plans = [
        StreamPlan(name=n, table=f"shop__{n}", mode=LoadMode.FULL)
        for n in ("bad", "orders", "late")
    ]
    results = bench.run(config, *plans)
    assert [results[n].status for n in ("bad", "orders", "late")] == [
        "failed",
        "succeeded",
        "succeeded",
    ]
    error = results["bad"].error
    assert error is not None
    assert (error.message, error.remedy, error.code) == (
        "page 3 is broken.",
        "Mend it.",
        "broken_page",
    )
    assert bench.payload["failed"] == ["bad"]
    assert not bench.types("shop__bad")
    assert bench.rows("SELECT count(*) FROM shop__late") == [(1,)]


@pytest.mark.parametrize("form", FORMS)
def test_a_failed_stream_keeps_rows_and_cursor(bench: Bench, form: str) -> None:
    by_cursor = plan(LoadMode.APPEND, cursor="at")
    bench.run(orders((1, "a", 1), form=form), by_cursor)
    rows = [(1, "a", 1), (2, "b", 2)]
    failed = bench.run(orders(*rows, form=form, after="fail"), by_cursor)
    assert failed["orders"].status == "failed"
    assert bench.rows(ALL) == [(1, "a", 1)]
    bench.run(orders(*rows, form=form), by_cursor)
    assert bench.rows(ALL) == rows


@pytest.mark.parametrize("form", FORMS)
def test_a_dropped_table_is_loaded_again_with_a_warning(bench: Bench, form: str) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    config = orders((1, "a", 1), (2, "b", 2), form=form)
    bench.run(config, by_key)
    bench.conn.execute(f"DROP TABLE {bench.warehouse.raw}.shop__orders")
    result = bench.run(config, by_key)["orders"]
    assert (result.status, result.rows) == ("succeeded", 2)
    assert "no longer existed" in result.warnings[0]
    assert len(bench.rows(ALL)) == 2


@pytest.mark.parametrize("form", FORMS)
def test_tables_are_described_as_they_stand(bench: Bench, form: str) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    table = bench.run(orders((1, "a", 1), form=form), by_key)["orders"].tables[0]
    assert (table.table, table.parent, table.primary_key) == ("shop__orders", None, ("id",))
    types = {column.name: column.type for column in table.columns}
    assert {name: types[name] for name in TYPES} == TYPES


def test_merges_look_rows_up_by_an_index(bench: Bench) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    row = {"id": 1, "tags": [{"t": "x"}]}
    for _ in range(2):
        bench.run({"orders": {"rows": [row]}}, by_key)
    found = bench.rows(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        " AND tablename LIKE 'shop%' ORDER BY tablename"
    )
    assert [(table, text[text.index("(") :]) for table, text in found] == [
        ("shop__orders", "(id)"),
        ("shop__orders__tags", "(_dlt_root_id)"),
    ]
    assert bench.rows("SELECT count(*) FROM shop__orders__tags") == [(1,)]


def test_a_key_of_text_gets_no_index_that_a_long_value_would_break(bench: Bench) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("name",))
    long = "".join(chr(0x4E00 + number) for number in range(5000))
    for at in (1, 2):
        result = bench.run(orders((1, long, at)), by_key)["orders"]
        assert result.status == "succeeded", result.error
    assert bench.rows("SELECT at FROM shop__orders") == [(2,)]
