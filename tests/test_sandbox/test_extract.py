"""Loading streams into a tenant's real schemas: modes, state, failures, dropped tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etlfabric_dagster.schemas.jobs import CheckJob, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.test_sandbox.bench import (
    ALL,
    FORMS,
    TYPES,
    Bench,
    EachForm,
    of_each,
    orders,
    plan,
    table,
)


def test_full_replaces_everything(each_form: EachForm) -> None:
    first = each_form.run(orders((1, "a", 1), (2, None, 2)), plan(LoadMode.FULL))
    assert of_each(first, "status", "rows") == ("succeeded", 2)
    assert each_form.rows(ALL) == [(1, "a", 1), (2, None, 2)]
    second = each_form.run(orders((2, "", 3), (3, "c", 3)), plan(LoadMode.FULL))
    assert of_each(second, "rows") == 2
    assert each_form.rows(ALL) == [(2, "", 3), (3, "c", 3)]


def test_incremental_merges_by_key(each_form: EachForm) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    each_form.run(orders((1, "a", 1), (2, "b", 2)), by_key)
    second = each_form.run(orders((1, "a", 1), (2, "b2", 3), (3, "c", 4)), by_key)
    assert of_each(second, "rows") == 2
    assert each_form.rows(ALL) == [(1, "a", 1), (2, "b2", 3), (3, "c", 4)]


def test_incremental_without_key_appends(each_form: EachForm) -> None:
    by_cursor = plan(LoadMode.INCREMENTAL, cursor="at")
    each_form.run(orders((1, "a", 1)), by_cursor)
    each_form.run(orders((1, "a", 1), (1, "a2", 2)), by_cursor)
    assert each_form.rows(ALL) == [(1, "a", 1), (1, "a2", 2)]


def test_merge_needs_no_cursor(each_form: EachForm) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    each_form.run(orders((1, "a", 1), (2, "b", 2)), by_key)
    each_form.run(orders((2, "b2", 2), (3, "c", 3)), by_key)
    assert each_form.rows(ALL) == [(1, "a", 1), (2, "b2", 2), (3, "c", 3)]


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


def test_scd2_keeps_versions(each_form: EachForm) -> None:
    history = plan(LoadMode.SCD2, primary_key=("id",))
    each_form.run(orders((1, "a", 1), (2, "b", 1)), history)
    each_form.run(orders((1, "a", 1), (2, "b2", 1)), history)
    each_form.run(orders((1, "a", 1), (2, "b2", 1)), history)
    found = each_form.rows(
        "SELECT id, name, _dlt_valid_to IS NULL FROM shop__orders ORDER BY id, name"
    )
    assert found == [(1, "a", True), (2, "b", False), (2, "b2", True)]


def test_full_refresh_of_scd2_starts_history_again(each_form: EachForm) -> None:
    history = plan(LoadMode.SCD2, primary_key=("id",))
    each_form.run(orders((1, "a", 1)), history)
    each_form.run(orders((1, "b", 1)), history.model_copy(update={"full_refresh": True}))
    assert each_form.rows("SELECT name, _dlt_valid_to FROM shop__orders") == [("b", None)]
    each_form.run(orders((1, "b", 1)), history)
    assert each_form.rows("SELECT count(*) FROM shop__orders") == [(1,)]


@pytest.mark.parametrize("mode", [LoadMode.INCREMENTAL, LoadMode.APPEND])
def test_full_refresh_reads_from_the_start_and_replaces(
    each_form: EachForm, mode: LoadMode
) -> None:
    key = ("id",) if mode is LoadMode.INCREMENTAL else ()
    by_cursor = plan(mode, cursor="at", primary_key=key)
    each_form.run(orders((1, "a", 1), (9, "gone", 2)), by_cursor)
    refresh = by_cursor.model_copy(update={"full_refresh": True})
    each_form.run(orders((1, "a", 1), (2, "b", 2)), refresh)
    assert each_form.rows(ALL) == [(1, "a", 1), (2, "b", 2)]
    each_form.run(orders((2, "b", 2), (3, "c", 3)), by_cursor)
    assert each_form.rows(ALL) == [(1, "a", 1), (2, "b", 2), (3, "c", 3)]


def test_state_comes_back_from_the_destination(each_form: EachForm) -> None:
    by_cursor = plan(LoadMode.APPEND, cursor="at")
    each_form.run(orders((1, "a", 1)), by_cursor)
    result = each_form.run(orders((1, "a", 1), (2, "b", 2)), by_cursor, cached=False)
    assert of_each(result, "rows") == 1
    assert each_form.rows(ALL) == [(1, "a", 1), (2, "b", 2)]


def test_unchanged_stream_never_enters_dlt(each_form: EachForm) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    each_form.run(orders((1, "a", 1)), by_key)
    loads = each_form.rows("SELECT count(*) FROM _dlt_loads")
    again = each_form.run(orders((1, "a", 1)), by_key)
    assert of_each(again, "status", "rows") == ("unchanged", 0)
    assert {one.tables[0].primary_key for one in again.values()} == {("id",)}
    assert each_form.rows("SELECT count(*) FROM _dlt_loads") == loads
    moved = each_form.run(orders((1, "a", 1), (2, "b", 2)), by_key)
    assert of_each(moved, "status", "rows") == ("succeeded", 1)


def test_a_failing_stream_does_not_stop_the_others(bench: Bench) -> None:
    row = {"id": 1, "name": "x", "at": 1}
    streams = [(form, fate) for fate in ("bad", "good") for form in FORMS]
    config = {
        f"{fate}_{form}": {"rows": [row], "form": form, "types": TYPES} for form, fate in streams
    }
    for form in FORMS:
        config[f"bad_{form}"]["after"] = "fail"
    results = bench.run(
        config, *(StreamPlan(name=n, table=table(n), mode=LoadMode.FULL) for n in config)
    )
    assert {name for name, one in results.items() if one.status == "succeeded"} == {
        f"good_{form}" for form in FORMS
    }
    for name in (f"bad_{form}" for form in FORMS):
        error = results[name].error
        assert error is not None
        told = (error.message, error.remedy, error.code)
        assert told == ("page 3 is broken.", "Mend it.", "broken_page")
        assert not bench.types(table(name))
    assert sorted(bench.payload["failed"]) == sorted(f"bad_{form}" for form in FORMS)
    for form in FORMS:
        assert bench.rows(f"SELECT count(*) FROM {table(f'good_{form}')}") == [(1,)]


def test_a_failed_stream_keeps_rows_and_cursor(each_form: EachForm) -> None:
    by_cursor = plan(LoadMode.APPEND, cursor="at")
    each_form.run(orders((1, "a", 1)), by_cursor)
    rows = [(1, "a", 1), (2, "b", 2)]
    failed = each_form.run(orders(*rows, after="fail"), by_cursor)
    assert of_each(failed, "status") == "failed"
    assert each_form.rows(ALL) == [(1, "a", 1)]
    each_form.run(orders(*rows), by_cursor)
    assert each_form.rows(ALL) == rows


def test_a_dropped_table_is_loaded_again_with_a_warning(each_form: EachForm, bench: Bench) -> None:
    by_key = plan(LoadMode.INCREMENTAL, cursor="at", primary_key=("id",))
    config = orders((1, "a", 1), (2, "b", 2))
    each_form.run(config, by_key)
    for form in FORMS:
        bench.conn.execute(f"DROP TABLE {bench.warehouse.raw}.{table(form)}")
    results = each_form.run(config, by_key)
    assert of_each(results, "status", "rows") == ("succeeded", 2)
    assert all("no longer existed" in one.warnings[0] for one in results.values())
    assert len(each_form.rows(ALL)) == 2


def test_tables_are_described_as_they_stand(each_form: EachForm) -> None:
    by_key = plan(LoadMode.MERGE, primary_key=("id",))
    for form, result in each_form.run(orders((1, "a", 1)), by_key).items():
        found = result.tables[0]
        assert (found.table, found.parent, found.primary_key) == (table(form), None, ("id",))
        types = {column.name: column.type for column in found.columns}
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


def test_a_load_imports_no_library_that_its_server_has_not(bench: Bench, tmp_path: Path) -> None:
    look = CheckJob(source=SourceConfig(connector="plugin", config={"do": "look"}))
    at_first = set(json.loads(bench.sandbox.client.run(look).payload["cause"])["modules"])
    streams = [plan(LoadMode.FULL), plan(LoadMode.FULL)]
    second = streams[1].model_copy(update={"name": "last", "table": "shop__last"})
    told = orders((2, "b", 2), tell=str(tmp_path / "modules"))["orders"]
    bench.run(orders((1, "a", 1)) | {"last": told}, streams[0], second)
    after = set(json.loads((tmp_path / "modules").read_text()))
    assert {name.partition(".")[0] for name in after - at_first} == set()
