"""Formatting keeps Jinja and comments, and says when it cannot."""

from __future__ import annotations

import pytest

from etlfabric_dagster.errors import TransformError
from etlfabric_dagster.sandbox import dbt_format
from etlfabric_dagster.schemas.jobs import FormatJob


def formatted(sql: str) -> str:
    return dbt_format.handle(FormatJob(sql=sql), lambda _event: None, "")["sql"]


def test_layout_changes_and_jinja_and_comments_stay() -> None:
    assert formatted("select a,b from {{ref('stg_orders')}} -- all") == (
        "select a, b from {{ ref('stg_orders') }}  -- all\n"
    )


def test_formatting_twice_is_formatting_once() -> None:
    once = formatted("with x as (select 1 as a) select a from x where a=1 group by a")
    assert formatted(once) == once


def test_what_cannot_be_read_is_told_and_nothing_is_changed() -> None:
    with pytest.raises(TransformError, match="cannot be formatted"):
        formatted("select {{ ref('x' from b)")
