"""Our names of raw tables and columns are dlt's."""

from __future__ import annotations

from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given, settings
from hypothesis import strategies as st

from etlfabric_dagster.schemas.naming import MAX_IDENTIFIER, shortened, snake_case

TRICKY = st.text(alphabet="aZ9_ -.+*@|$%\"'äÄ漢xX", min_size=1, max_size=40)


@given(TRICKY.filter(lambda name: name.strip()))
@settings(max_examples=1000, deadline=None)
def test_name_is_what_dlt_makes_of_it(name):
    assert snake_case(name) == NamingConvention(None).normalize_identifier(name)


@given(st.text(min_size=64, max_size=300))
def test_shortened_name_fits_postgres(name):
    assert len(shortened(name)) == MAX_IDENTIFIER
