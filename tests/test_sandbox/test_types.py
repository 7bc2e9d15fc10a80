"""Which type holds every value of another."""

from __future__ import annotations

import pytest

from etlfabric_dagster.sandbox import types


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("smallint", "bigint"),
        ("bigint", "numeric"),
        ("bigint", "numeric(38,10)"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("numeric(10,2)", "numeric"),
        ("real", "double precision"),
        ("integer", "double precision"),
        ("character varying(10)", "character varying(20)"),
        ("character varying(10)", "text"),
        ("uuid", "text"),
        ("date", "timestamp without time zone"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("integer[]", "bigint[]"),
        ("varchar", "character varying"),
    ],
)
def test_wider_types_hold_narrower_ones_and_not_the_reverse(value: str, column: str) -> None:
    assert types.fits(value, column)
    same = types.canonical(value) == types.canonical(column)
    assert types.fits(column, value) is same


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("bigint", "double precision"),
        ("bigint", "numeric(12,2)"),
        ("numeric", "numeric(38,10)"),
        ("numeric(10,4)", "numeric(20,2)"),
        ("timestamp with time zone", "timestamp without time zone"),
        ("text[]", "text"),
        ("bigint", "text"),
        ("json", "jsonb"),
        ("integer", "integer[]"),
        ('"evil"', "text"),
    ],
)
def test_other_types_do_not_fit(value: str, column: str) -> None:
    assert not types.fits(value, column)


@pytest.mark.parametrize(
    "text",
    [
        "timestamp(6) without time zone",
        "numeric(38,10)",
        "time without time zone",
        "character varying(20)[]",
        "interval",
    ],
)
def test_format_types_own_spellings_stay(text: str) -> None:
    assert types.canonical(text) == text


@pytest.mark.parametrize("text", ["int; drop table x", "text)--", '"x"', "int/**/", ""])
def test_sql_is_no_type(text: str) -> None:
    assert types.parse(text) is None
