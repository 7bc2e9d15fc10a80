"""Odd values, and two pipelines of one org at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from etlfabric_dagster.errors import SandboxError
from etlfabric_dagster.schemas.jobs import StreamEvent
from etlfabric_dagster.schemas.streams import LoadMode, SchemaPolicy, StreamPlan
from tests.test_sandbox.bench import Bench, orders, plan

FULL = plan(LoadMode.FULL)


@pytest.mark.parametrize(
    ("odd", "stored", "warning"),
    [
        ("nan", None, "NaN and Infinity in v were stored as NULL."),
        ("infinity", None, "NaN and Infinity in v were stored as NULL."),
        ("nul", "ab", "NUL characters in v were left out: PostgreSQL cannot store them."),
        ("huge", "1180591620717411303424.000000000", None),
    ],
)
def test_odd_values_follow_a_stated_rule(
    bench: Bench, odd: str, stored: str | None, warning: str | None
) -> None:
    result = bench.run(orders((1, "a", 1), odd=odd), FULL)["orders"]
    assert result.status == "succeeded", result.error
    assert result.warnings == ((warning,) if warning else ())
    assert bench.rows("SELECT v::text FROM shop__orders") == [(stored,)]


def test_deep_lists_become_json(bench: Bench) -> None:
    result = bench.run(orders((1, "a", 1), odd="folded"), FULL)["orders"]
    assert result.status == "succeeded", result.error
    assert len(result.tables) <= 9


@pytest.mark.parametrize("odd", ["surrogate", "deep"])
def test_what_cannot_be_stored_fails_its_stream_alone_and_clearly(bench: Bench, odd: str) -> None:
    bench.run(orders((1, "a", 1)), FULL)
    config = orders((2, "b", 2), odd=odd) | {"late": orders((7, "x", 7))["orders"]}
    late = StreamPlan(name="late", table="shop__late", mode=LoadMode.FULL)
    results = bench.run(config, FULL, late)
    print(results["orders"])
    failed = results["orders"].error
    assert failed is not None
    assert failed.code == "bad_value"
    assert "orders" in failed.message
    assert failed.remedy
    assert results["late"].status == "succeeded"
    assert bench.rows("SELECT id FROM shop__orders") == [(1,)]


def test_two_pipelines_of_an_org_make_its_first_tables_together(bench: Bench) -> None:
    def load(number: int) -> str:
        stream = StreamPlan(name="orders", table=f"shop{number}__orders", mode=LoadMode.FULL)
        job = bench.job(orders((number, "a", 1)), stream).model_copy(
            update={"pipeline": f"p_{number}"}
        )
        events = list(bench.sandbox.client.call(job))
        return next(e.result.status for e in events if isinstance(e, StreamEvent))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, range(4))) == ["succeeded"] * 4
    for number in range(4):
        assert bench.rows(f"SELECT id FROM shop{number}__orders") == [(number,)]


@pytest.mark.parametrize("form", ["items", "arrow"])
def test_names_that_become_one_stop_the_stream(bench: Bench, form: str) -> None:
    config = {"orders": {"form": form, "rows": [{"id": 1, "userName": "a", "user_name": "b"}]}}
    failed = bench.run(config, FULL)["orders"].error
    assert failed is not None
    assert failed.code == "duplicate_column"
    assert failed.message == (
        "orders has userName and user_name; both become user_name. The stream was not loaded."
    )


def test_a_word_where_numbers_were_gets_a_column_of_its_own(bench: Bench) -> None:
    merge = plan(LoadMode.MERGE, primary_key=("id",))
    bench.run({"orders": {"rows": [{"id": 1, "v": 7}]}}, merge)
    result = bench.run({"orders": {"rows": [{"id": 2, "v": "many"}]}}, merge)["orders"]
    assert [c.column for c in result.schema_changes] == ["v__v_text"]
    assert bench.rows("SELECT id, v, v__v_text FROM shop__orders ORDER BY id") == [
        (1, 7, None),
        (2, None, "many"),
    ]


def test_a_word_where_numbers_were_stops_a_frozen_stream(bench: Bench) -> None:
    bench.run({"orders": {"rows": [{"id": 1, "v": 7}]}}, FULL)
    config = {"orders": {"rows": [{"id": 2, "v": "many"}]}}
    failed = bench.run(config, FULL, schema_policy=SchemaPolicy.FREEZE)["orders"].error
    assert failed is not None
    assert failed.code == "frozen_schema"


def test_too_many_columns_are_named(bench: Bench) -> None:
    row = {f"c{number}": number for number in range(1700)}
    failed = bench.run({"orders": {"rows": [row]}}, FULL)["orders"].error
    assert failed is not None
    assert failed.code == "too_many_columns"


def test_a_refused_login_is_no_streams_fault(bench: Bench) -> None:
    bench.warehouse = bench.warehouse.model_copy(update={"password": "wrong"})
    with pytest.raises(SandboxError) as caught:
        bench.run(orders((1, "a", 1)), FULL)
    assert caught.value.code == "warehouse_unreachable"
