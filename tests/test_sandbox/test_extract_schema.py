"""A changed source and its raw table: policies, wider types, views, columns without values."""

from __future__ import annotations

from typing import Any

import pytest

from etlfabric_dagster.connectors.policies import hash_text
from etlfabric_dagster.schemas.runs import StreamResult
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode, SchemaPolicy
from tests.test_sandbox.bench import FORMS, Bench, EachForm, agreed, of_each, plan, table

MERGE = plan(LoadMode.MERGE, primary_key=("id",))
FULL = plan(LoadMode.FULL)


def stream(*rows: dict[str, Any], **types: str) -> dict[str, Any]:
    """Rows with their types, in no form yet; items and Arrow bring their own types along."""
    return {"orders": {"rows": list(rows), "types": {"id": "bigint", **types}}}


def config(form: str, *rows: dict[str, Any], **types: str) -> dict[str, Any]:
    """As `stream`, in one form."""
    return {"orders": stream(*rows, **types)["orders"] | {"form": form}}


def changes_of_each(results: dict[str, StreamResult]) -> set[tuple[str | None, str, str]]:
    return agreed({form: changes(one) for form, one in results.items()})


def changes(result: StreamResult) -> set[tuple[str | None, str, str]]:
    return {(c.column, c.change, c.decision) for c in result.schema_changes}


def test_evolve_takes_new_columns_and_says_so(each_form: EachForm) -> None:
    first = each_form.run(stream({"id": 1}), MERGE)
    assert changes_of_each(first) == {(None, "table_added", "taken")}
    second = each_form.run(stream({"id": 2, "code": "x"}, code="text"), MERGE)
    assert changes_of_each(second) == {("code", "added", "taken")}
    assert each_form.rows("SELECT id, code FROM shop__orders ORDER BY id") == [(1, None), (2, "x")]
    third = each_form.run(stream({"id": 3, "code": "y"}, code="text"), MERGE)
    assert changes_of_each(third) == set()


def test_freeze_stops_the_stream_and_keeps_its_rows(each_form: EachForm) -> None:
    frozen = {"schema_policy": SchemaPolicy.FREEZE}
    each_form.run(stream({"id": 1}), MERGE, **frozen)
    wider = stream({"id": 2, "code": "x"}, code="text")
    for form, failed in each_form.run(wider, MERGE, **frozen).items():
        assert failed.error is not None
        assert failed.error.code == "frozen_schema"
        assert f"{form} has a new column, code (text)" in failed.error.message
        assert failed.error.remedy == "Accept or ignore the column."
    assert each_form.columns().keys() == {"id"}
    accepted = {form: ("code",) for form in FORMS}
    taken = each_form.run(wider, MERGE, **frozen, accepted_columns=accepted)
    assert of_each(taken, "status", "error") == ("succeeded", None)
    assert each_form.rows("SELECT id, code FROM shop__orders ORDER BY id") == [(1, None), (2, "x")]


def test_discard_ignores_the_column_and_says_so(each_form: EachForm) -> None:
    each_form.run(stream({"id": 1}), MERGE, schema_policy=SchemaPolicy.DISCARD)
    wider = stream({"id": 2, "code": "x"}, {"id": 3, "code": "y"}, code="text")
    results = each_form.run(wider, MERGE, schema_policy=SchemaPolicy.DISCARD)
    assert changes_of_each(results) == {("code", "added", "ignored")}
    assert each_form.columns().keys() == {"id"}
    assert each_form.rows("SELECT id FROM shop__orders ORDER BY id") == [(1,), (2,), (3,)]


def test_discard_ignores_new_nested_tables(bench: Bench) -> None:
    bench.run(config("items", {"id": 1}), MERGE, schema_policy=SchemaPolicy.DISCARD)
    nested = config("items", {"id": 2, "tags": [{"t": 1}]})
    result = bench.run(nested, MERGE, schema_policy=SchemaPolicy.DISCARD)["orders"]
    assert [(c.table, c.change, c.decision) for c in result.schema_changes] == [
        ("shop__orders__tags", "table_added", "ignored")
    ]
    assert not bench.types("shop__orders__tags")


def test_nested_tables_name_their_parent(bench: Bench) -> None:
    row = {"id": 1, "lines": [{"sku": "a", "notes": [{"n": "x"}]}]}
    tables = bench.run(config("items", row), MERGE)["orders"].tables
    assert [(t.table, t.parent, t.primary_key) for t in tables] == [
        ("shop__orders", None, ("id",)),
        ("shop__orders__lines", "shop__orders", ()),
        ("shop__orders__lines__notes", "shop__orders__lines", ()),
    ]


def test_removed_columns_are_news_once(bench: Bench) -> None:
    bench.run(config("csv", {"id": 1, "code": "x"}, code="text"), MERGE)
    second = bench.run(config("csv", {"id": 2}), MERGE)["orders"]
    assert changes(second) == {("code", "removed", "taken")}
    assert bench.rows("SELECT id, code FROM shop__orders ORDER BY id") == [(1, "x"), (2, None)]
    assert changes(bench.run(config("csv", {"id": 3}), MERGE)["orders"]) == set()


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("integer", "bigint", 2**40),
        ("bigint", "numeric(38,10)", "1234567890.0123456789"),
        ("numeric(10,2)", "numeric", "1e30"),
        ("character varying(3)", "text", "longer"),
        ("date", "timestamp without time zone", "2024-01-01 12:00:00"),
    ],
)
def test_wider_types_alter_the_column_and_keep_views(
    bench: Bench, old: str, new: str, value: Any
) -> None:
    initial = "2024-01-01" if old == "date" else 1
    bench.run(config("csv", {"id": 1, "v": initial}, v=old), MERGE)
    staging, raw = bench.warehouse.staging, bench.warehouse.raw
    bench.conn.execute(f"CREATE VIEW {staging}.stg AS SELECT id, v FROM {raw}.shop__orders")
    bench.conn.execute(f"CREATE VIEW {staging}.top AS SELECT max(id) AS id FROM {staging}.stg")
    result = bench.run(config("csv", {"id": 2, "v": value}, v=new), MERGE)["orders"]
    assert result.status == "succeeded", result.error
    assert [(c.change, c.old_type, c.new_type) for c in result.schema_changes] == [
        ("widened", old, new)
    ]
    assert result.warnings == ()
    assert bench.rows(f"SELECT count(*) FROM {staging}.stg") == [(2,)]
    assert bench.rows(f"SELECT id FROM {staging}.top") == [(2,)]


def test_a_type_that_cannot_hold_old_values_is_refused_with_the_remedy(bench: Bench) -> None:
    bench.run(config("csv", {"id": 1, "v": "abc"}, v="text"), MERGE)
    bench.run(config("csv", {"id": 2, "v": 1.5}, v="double precision"), FULL)
    failed = bench.run(config("csv", {"id": 1, "v": "2024-01-01"}, v="date"), MERGE)["orders"]
    assert failed.error is not None
    assert failed.error.code == "type_changed"
    assert "full refresh" in failed.error.remedy
    assert bench.rows("SELECT id, v FROM shop__orders") == [(2, 1.5)]


def test_a_full_refresh_replaces_the_type_under_a_view(bench: Bench) -> None:
    bench.run(config("csv", {"id": 1, "v": 7}, v="bigint"), MERGE)
    staging, raw = bench.warehouse.staging, bench.warehouse.raw
    bench.conn.execute(f"CREATE VIEW {staging}.stg AS SELECT id, v FROM {raw}.shop__orders")
    refresh = MERGE.model_copy(update={"full_refresh": True})
    result = bench.run(config("csv", {"id": 1, "v": "2024-01-01"}, v="date"), refresh)["orders"]
    assert result.status == "succeeded", result.error
    assert bench.types("shop__orders")["v"] == "date"
    assert bench.rows(f"SELECT v::text FROM {staging}.stg") == [("2024-01-01",)]


def test_a_view_that_does_not_fit_the_new_type_is_dropped_with_a_warning(bench: Bench) -> None:
    bench.run(config("csv", {"id": 1, "v": 7}, v="bigint"), MERGE)
    staging, raw = bench.warehouse.staging, bench.warehouse.raw
    bench.conn.execute(f"CREATE VIEW {staging}.stg AS SELECT id % v AS r FROM {raw}.shop__orders")
    refresh = MERGE.model_copy(update={"full_refresh": True})
    result = bench.run(config("csv", {"id": 1, "v": "2024-01-01"}, v="date"), refresh)["orders"]
    assert result.status == "succeeded", result.error
    assert result.warnings == ("View stg does not fit the new types; it was dropped.",)


@pytest.mark.parametrize("mode", [MERGE, FULL])
def test_views_neither_break_nor_block_a_load(each_form: EachForm, mode: Any) -> None:
    each_form.run(stream({"id": 1}), mode)
    staging, raw = each_form.bench.warehouse.staging, each_form.bench.warehouse.raw
    for form in FORMS:
        view = f"CREATE VIEW {staging}.{form} AS SELECT id FROM {raw}.{table(form)}"
        each_form.bench.conn.execute(view)
    for number in (2, 3):
        results = each_form.run(stream({"id": number}), mode)
        assert of_each(results, "status", "error") == ("succeeded", None)
    expected = [(3,)] if mode is FULL else [(1,), (2,), (3,)]
    for form in FORMS:
        assert each_form.bench.rows(f"SELECT id FROM {staging}.{form} ORDER BY id") == expected


@pytest.mark.parametrize("form", ["items", "arrow"])
def test_columns_of_nulls_exist_and_get_their_type_with_the_first_value(
    bench: Bench, form: str
) -> None:
    bench.run(config(form, {"id": 1, "v": None}), MERGE)
    assert bench.types("shop__orders")["v"] == "text"
    bench.run(config(form, {"id": 2, "v": 7}), MERGE)
    assert bench.types("shop__orders")["v"] == "bigint"
    assert bench.rows("SELECT id, v FROM shop__orders ORDER BY id") == [(1, None), (2, 7)]


@pytest.mark.parametrize("form", ["items", "arrow"])
def test_column_policies_act_before_anything_is_stored(bench: Bench, form: str) -> None:
    policies = {
        "eMail": ColumnPolicy.HASH,
        "phone": ColumnPolicy.MASK,
        "ssn": ColumnPolicy.DROP,
    }
    stream = MERGE.model_copy(update={"columns": policies})
    row = {"id": 1, "eMail": "a@b.c", "phone": "123", "ssn": "9"}
    blank = {"id": 2, "eMail": None, "phone": None, "ssn": None}
    bench.run(config(form, row, blank), stream, hash_key="k")
    assert "ssn" not in bench.types("shop__orders")
    assert bench.rows("SELECT id, e_mail, phone FROM shop__orders ORDER BY id") == [
        (1, hash_text("k", "a@b.c"), "***"),
        (2, None, None),
    ]


def test_column_of_an_arrow_table_may_be_written_as_a_path(bench: Bench) -> None:
    row = {"user__id": 1, "user__email": "x"}
    columns = {"user__email": ColumnPolicy.DROP}
    merge = plan(LoadMode.MERGE, primary_key=("user__id",), columns=columns)
    bench.run(config("arrow", row), merge)
    result = bench.run(config("arrow", row), merge)["orders"]
    assert result.tables[0].primary_key == ("user__id",)
    assert bench.rows("SELECT user__id FROM shop__orders") == [(1,)]
    assert "user__email" not in bench.types("shop__orders")


def test_exact_types_of_file_imports(bench: Bench) -> None:
    types = {
        "u": "uuid",
        "n": "numeric(38,10)",
        "t": "timestamp without time zone",
        "j": "jsonb",
        "a": "text[]",
        "i": "interval",
        "b": "bytea",
        "s": "text",
    }
    row = {
        "id": 1,
        "u": "7f3e6f2a-0a4e-4a83-9d5d-0d2f0f7a1b11",
        "n": "1234567890123456789012345678.0123456789",
        "t": "infinity",
        "j": '{"a": [1, null]}',
        "a": '{"x,y","",NULL}',
        "i": "1 mon 2 days",
        "b": "\\x00ff",
        "s": 'quote " comma , newline \n tab \t ü',
    }
    for mode in (MERGE, FULL):
        result = bench.run(config("csv", row, **types), mode)["orders"]
        assert result.status == "succeeded", result.error
        found = bench.types("shop__orders")
        assert {name: found[name] for name in types} == types
        listed = ", ".join(f"{name}::text" for name in types)
        assert bench.rows(f"SELECT {listed} FROM shop__orders") == [
            tuple(row[name] for name in types)
        ]


def test_a_bad_value_names_stream_and_row(bench: Bench) -> None:
    rows = [{"id": number, "v": 1} for number in range(3)] + [{"id": 9, "v": "x"}]
    failed = bench.run(config("csv", *rows, v="integer"), FULL)["orders"]
    assert failed.error is not None
    assert failed.error.code == "bad_value"
    assert "A value of orders, row 5, column v" in failed.error.message
