"""What a user may choose for a stream, and what is chosen when nobody does."""

from __future__ import annotations

from typing import Any

import pytest

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream, Discovery, LoadMode
from etlfabric_dagster.services import stream_settings

ORDERS = DiscoveredStream(
    name="orders",
    columns=tuple(ColumnInfo(name=n, type="text") for n in ("id", "email", "updated_at")),
    primary_key=("id",),
    cursor_candidates=("updated_at", "id"),
    update_cursor="updated_at",
)
LOGS = DiscoveredStream(name="logs", columns=(ColumnInfo(name="line", type="text"),))
FOUND = Discovery(streams=(ORDERS, LOGS))


def test_all_picks_incremental_where_key_and_cursor_are_known_else_full():
    chosen = stream_settings.resolve("all", FOUND)
    modes = {name: settings.mode for name, (settings, _) in chosen.items()}
    assert modes == {"orders": LoadMode.INCREMENTAL, "logs": LoadMode.FULL}
    assert chosen["orders"][0].cursor == "updated_at"


@pytest.mark.parametrize(
    "changes",
    [{"update_cursor": None}, {"primary_key": ()}],
    ids=["cursor that misses updates", "no key"],
)
def test_all_is_full_where_an_update_could_be_missed(changes: dict[str, Any]):
    settings = stream_settings.default_settings(ORDERS.model_copy(update=changes))
    assert (settings.mode, settings.cursor) == (LoadMode.FULL, None)


def test_cursor_that_only_appears_as_files_are_read_may_be_chosen():
    files = ORDERS.model_copy(update={"cursor_candidates": ("_file_modified_at",)})
    given = {"orders": {"mode": "append", "cursor": "_file_modified_at"}}
    chosen = stream_settings.resolve(given, Discovery(streams=(files,)))
    assert chosen["orders"][0].cursor == "_file_modified_at"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"ghosts": {}}, "streams.ghosts"),
        ({"logs": {"mode": "incremental"}}, "streams.logs.cursor"),
        ({"logs": {"mode": "append"}}, "streams.logs.cursor"),
        ({"logs": {"mode": "merge"}}, "streams.logs.primary_key"),
        ({"logs": {"mode": "sideways"}}, "streams.logs.mode"),
        ({"logs": {"mode": "full", "typo": 1}}, "streams.logs.typo"),
        ({"logs": {"lag_s": -1}}, "streams.logs.lag_s"),
        ({"logs": "full"}, "streams.logs"),
        ({"orders": {"mode": "append", "cursor": "nope"}}, "streams.orders"),
        ({"orders": {"columns": {"nope": {"policy": "hash"}}}}, "streams.orders"),
        ({"orders": {"columns": {"email": {"policy": "burn"}}}}, "streams.orders.columns"),
        (
            {
                "orders": {
                    "mode": "merge",
                    "primary_key": ["id"],
                    "columns": {"id": {"policy": "drop"}},
                }
            },
            "streams.orders.columns",
        ),
    ],
)
def test_wrong_choice_names_its_field(given, field):
    with pytest.raises(InvalidInputError) as refused:
        stream_settings.resolve(given, FOUND)
    assert refused.value.where["field"].startswith(field)
    assert refused.value.remedy


@pytest.mark.parametrize("prefix", ["A", "1a", "a-b", "a b", 'a"', "a" * 41, "ä"])
def test_hostile_prefix_is_refused(prefix):
    with pytest.raises(InvalidInputError):
        stream_settings.checked_prefix(prefix)


def test_prefix_may_be_empty():
    assert stream_settings.checked_prefix("") == ""


def test_pipeline_without_work_is_refused():
    with pytest.raises(InvalidInputError, match="selector"):
        stream_settings.check_has_work(None, None)
