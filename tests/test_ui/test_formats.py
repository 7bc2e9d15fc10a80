"""Numbers and times read as the design brief says (section 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etlfabric_ui import formats

NOW = datetime(2026, 11, 22, 13, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "—"),
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10 k"),
        (20_557, "20.6 k"),
        (999_960, "1 M"),
        (1_240_000, "1.24 M"),
        (2_400_000_000, "2.4 B"),
    ],
)
def test_counts_are_exact_below_ten_thousand_and_then_have_three_digits(
    number: int | None, said: str
) -> None:
    assert formats.count(number) == formats.whole(said)


def test_exact_counts_have_commas() -> None:
    assert formats.exact(1_412_003) == "1,412,003"


@pytest.mark.parametrize(
    ("number", "said"), [(None, "—"), (-1, "—"), (2_400_000, "≈ 2.4 M"), (312, "≈ 312")]
)
def test_estimates_say_so_and_an_unknown_one_is_no_number(number: int | None, said: str) -> None:
    assert formats.estimate(number) == formats.whole(said)


@pytest.mark.parametrize(
    ("size", "said"), [(None, "—"), (0, "0 B"), (999, "999 B"), (84_200_000, "84.2 MB")]
)
def test_bytes_are_decimal(size: int | None, said: str) -> None:
    assert formats.size(size) == formats.whole(said)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "—"),
        (0.84, "840 ms"),
        (8.2, "8 s"),
        (59.9, "59 s"),
        (72, "1 min 12 s"),
        (3_900, "1 h 05 min"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, said: str) -> None:
    assert formats.duration(seconds) == formats.whole(said)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "—"), (214, 214, "100%"), (211, 214, "98.6%"), (99_999, 100_000, "99.9%")],
)
def test_hundred_percent_is_only_said_of_all(part: int, whole: int, said: str) -> None:
    assert formats.percent(part, whole) == said


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=4), "4 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=10), "Nov 12, 2026"),
        (timedelta(minutes=-12), "in 12 min"),
    ],
)
def test_times_are_relative_for_a_week(ago: timedelta, said: str) -> None:
    assert formats.relative(NOW - ago, NOW) == formats.whole(said)


def test_hover_tells_the_zone_and_utc() -> None:
    said = formats.moment(NOW, "Europe/Berlin")
    assert said == "Nov 22, 2026, 14:02:10 CET (13:02:10 UTC)"


def test_dates_and_parts_of_a_whole_stay_on_a_line_too() -> None:
    assert formats.day(NOW) == formats.whole("Nov 22")
    assert formats.short(NOW) == formats.whole("Nov 22, 13:02")
    assert formats.share(2, 3) == formats.whole("2 of 3")
    assert " " not in formats.whole("2 of 3")


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (1204, "1,204 rows")])
def test_one_row_is_not_several(number: int, said: str) -> None:
    assert formats.plural(number, "row") == formats.whole(said)
