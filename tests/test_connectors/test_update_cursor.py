"""Which names say that a moment is that of the last change."""

from __future__ import annotations

import pytest

from etlfabric_dagster.connectors.update_cursor import moves_on_update

MOVE = [
    "updated_at",
    "updatedAt",
    "UPDATED",
    "modified",
    "LastModifiedDate",
    "lastmodified",
    "last_update",
    "change_date",
    "date_modified",
    "row_updated_ts",
    "SystemModstamp",
    "gmt_modified",
    "last_changed_on_utc",
    "update_time",
    "modification_date",
    "ModifiedOn",
]
STAY = [
    "created_at",
    "id",
    "last_login_at",
    "price_changed_at",
    "exchange_date",
    "lasting",
    "synced_at",
    "created_ts",
    "updated_by",
    "version",
    "date",
    "last",
    "update_count",
    "updates_at",
    "ordered_at",
]


@pytest.mark.parametrize("name", MOVE)
def test_name_of_a_change_is_known(name: str) -> None:
    assert moves_on_update(name)


@pytest.mark.parametrize("name", STAY)
def test_any_other_name_is_not_trusted(name: str) -> None:
    assert not moves_on_update(name)
