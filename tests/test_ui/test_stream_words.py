"""How a stream may load, and what a change of it means."""

from __future__ import annotations

import pytest

from etlfabric_dagster.schemas.discovered import EditPlan, StreamEffect
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream
from etlfabric_ui.state import stream_words as words
from etlfabric_ui.state.edit_words import effects_of
from tests.test_ui.spoken import plain

ORDERS = DiscoveredStream(
    name="orders",
    columns=tuple(
        ColumnInfo(name=name, type="text") for name in ("id", "region", "email", "updated_at")
    ),
    primary_key=("id",),
    cursor_candidates=("updated_at",),
    update_cursor="updated_at",
    row_estimate=2_400_000,
)
NOTES = DiscoveredStream(name="notes", columns=(ColumnInfo(name="body", type="text"),))


def test_only_modes_that_can_work_are_offered() -> None:
    settings = words.default(NOTES, selected=True)

    assert words.modes(NOTES, settings) == ["full"]
    assert words.modes(NOTES, settings | {"primary_key": ["body"]}) == ["full", "merge", "scd2"]
    assert len(words.modes(ORDERS, words.default(ORDERS, selected=True))) == 5


def test_what_cannot_be_chosen_says_why() -> None:
    shown = words.detail(NOTES, words.default(NOTES, selected=True), "shop__notes")

    refused = {mode.key: mode.refused for mode in shown.modes if mode.refused}
    assert refused.keys() == {"incremental", "append", "merge", "scd2"}
    assert refused["incremental"] == "No column can be its cursor."


def test_mode_by_cursor_takes_the_best_candidate_and_full_needs_none() -> None:
    settings = words.with_mode(ORDERS, words.default(ORDERS, selected=True), "full")
    assert (settings["mode"], settings["cursor"]) == ("full", None)

    again = words.with_mode(ORDERS, settings, "append")
    assert (again["mode"], again["cursor"], again["primary_key"]) == (
        "append",
        "updated_at",
        ["id"],
    )


def test_keys_stand_in_the_order_of_the_columns() -> None:
    settings = words.default(ORDERS, selected=True) | {"primary_key": ["region"]}

    settings = words.with_key(ORDERS, settings, "id")
    assert settings["primary_key"] == ["id", "region"]
    assert words.with_key(ORDERS, settings, "region")["primary_key"] == ["id"]


def test_keeping_a_column_again_leaves_no_trace() -> None:
    before = words.default(ORDERS, selected=True)
    hashed = words.with_policy(before, "email", "hash")

    assert hashed["columns"] == {"email": {"policy": "hash"}}
    assert words.with_policy(hashed, "email", "keep") == before


def test_dropping_the_key_is_told_before_it_is_saved() -> None:
    broken = words.with_policy(words.default(ORDERS, selected=True), "id", "drop")

    assert "needs id as key or cursor" in words.problem_in(ORDERS, broken)
    assert words.row(ORDERS, broken).note == words.problem_in(ORDERS, broken)


@pytest.mark.parametrize(
    ("text", "start"), [("", None), (" 42 ", 42), ("2026-01-01", "2026-01-01")]
)
def test_start_is_a_number_when_it_reads_as_one(text: str, start: object) -> None:
    assert words.with_start({}, text)["initial_value"] == start


def test_bulk_change_says_what_it_did_and_which_streams_it_left() -> None:
    known = {one.name: words.default(one, selected=True) for one in (ORDERS, NOTES)}
    changed, skipped = words.set_mode_on((ORDERS, NOTES), known, "append")

    assert (list(changed), skipped) == (["orders"], ["notes"])
    assert plain(words.bulk_report("append", 1, 1)) == (
        "Append set on 1 stream. 1 has no cursor and stays as it is."
    )


@pytest.mark.parametrize(
    ("column", "like"),
    [
        ("email", "an email"),
        ("customerEmail", "an email"),
        ("last_name", "a name"),
        ("ip_address", "an IP address"),
        ("order_id", ""),
        ("zip", ""),
    ],
)
def test_column_that_looks_personal_is_pointed_out(column: str, like: str) -> None:
    assert words.looks_like(column) == like


def test_hint_goes_when_a_policy_is_chosen() -> None:
    settings = words.default(ORDERS, selected=True)
    shown = {one.name: one.hint for one in words.detail(ORDERS, settings, "t").columns}
    assert shown["email"] == "Looks like an email. Hash it?"

    hashed = words.with_policy(settings, "email", "hash")
    assert not any(one.hint for one in words.detail(ORDERS, hashed, "t").columns)


def test_edit_names_what_reloads_how_much_and_why() -> None:
    plan = EditPlan(
        streams=(
            StreamEffect(name="orders", effect="reloaded", fields=("primary_key",), rows=2_400_000),
            StreamEffect(name="refunds", effect="added", rows=300),
            StreamEffect(name="payroll", effect="removed"),
            StreamEffect(name="customers", effect="changed", fields=("columns",)),
        ),
        unchanged=3,
        rows=2_400_300,
        unknown_rows=0,
        models=("stg_orders", "daily_orders"),
    )
    assert [plain(one) for one in effects_of(plan)] == [
        "orders will reload in full at the next run (about 2.4 M rows) because its key changed.",
        "refunds will be loaded from the next run on (about 300 rows).",
        "payroll will not be loaded any more; its table stays.",
        "customers: takes effect at the next run.",
        "dbt models that build on them: stg_orders, daily_orders.",
    ]


def test_edit_of_many_names_three_and_counts_the_rest() -> None:
    effects = tuple(
        StreamEffect(name=f"s{n}", effect="reloaded", fields=("mode",), rows=None if n else 10)
        for n in range(5)
    )
    plan = EditPlan(streams=effects, unchanged=0, rows=10, unknown_rows=4, models=())

    said = effects_of(plan)
    assert len(said) == 4
    assert plain(said[-1]) == "2 streams more reload in full."


def test_values_in_the_drawer_are_masked_as_the_policy_will() -> None:
    settings = words.default(ORDERS, selected=True)
    for column, policy in (("email", "hash"), ("region", "mask"), ("updated_at", "drop")):
        settings = words.with_policy(settings, column, policy)
    shown = words.detail(ORDERS, settings, "shop__orders")
    values = {name: words.sample_text(["1", None, "x" * 60]) for name in ("id", "email", "region")}

    seen = {one.name: one.sample for one in words.with_samples(shown, values).columns}
    assert seen == {
        "id": f"1, NULL, {'x' * 40}",
        "region": "***",
        "email": "hashed",
        "updated_at": "",
    }


def test_choices_are_told_in_short_so_that_two_can_be_compared() -> None:
    settings = words.with_mode(ORDERS, words.default(ORDERS, selected=True), "append")
    assert words.in_short(settings) == "Append by updated_at, key id"
    hashed = words.in_short(words.with_policy(settings, "email", "hash"))
    assert plain(hashed).endswith(", 1 column with a policy")
    assert words.in_short({**settings, "selected": False}) == "Not loaded"
    assert words.in_short(None) == "Not loaded"


def test_values_that_are_missing_say_why() -> None:
    assert words.why_no_values({"id": "1, 2"}, "") == ""
    assert words.why_no_values({}, "") == "No values to show yet."
    said = words.why_no_values({}, "db.acme.io did not answer in 10 s.")
    assert said == "No values to show: db.acme.io did not answer in 10 s."
