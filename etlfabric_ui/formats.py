"""Numbers, sizes, durations and times as people read them. Pure; unknown is “—”.

What is said stays on one line: a number and its unit, a date, “2 of 3” are joined by `NBSP`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

UNKNOWN = "—"
NBSP = "\N{NO-BREAK SPACE}"
EXACT_BELOW = 10_000
_SCALE = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
RELATIVE_FOR = timedelta(days=7)


def exact(number: int | None) -> str:
    """1412003 → “1,412,003”."""
    return UNKNOWN if number is None else f"{number:,}"


def count(number: int | None) -> str:
    """Exact below 10,000, then three digits: “20.6 k”, “1.24 M”, “2.4 B”."""
    if number is None or number < EXACT_BELOW:
        return exact(number)
    return _scaled(float(number), _SCALE)


def estimate(number: int | None) -> str:
    """“≈ 2.4 M”: a number that was not counted."""
    return UNKNOWN if number is None or number < 0 else whole(f"≈ {count(number)}")


def size(size_bytes: int | None) -> str:
    """Decimal bytes: “84.2 MB”."""
    if size_bytes is None:
        return UNKNOWN
    if size_bytes < 1000:
        return whole(f"{size_bytes} B")
    return _scaled(float(size_bytes), _BYTES)


def duration(seconds: float | None) -> str:
    """“840 ms”, “8 s”, “1 min 12 s”, “1 h 05 min”."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return whole(f"{max(0, round(seconds * 1000))} ms")
    spent = int(seconds)
    if spent < 60:
        return whole(f"{spent} s")
    if spent < 3600:
        return whole(f"{spent // 60} min {spent % 60} s")
    return whole(f"{spent // 3600} h {spent // 60 % 60:02d} min")


def percent(part: int, total: int) -> str:
    """One decimal; “100%” only if exact, “—” of nothing."""
    if not total:
        return UNKNOWN
    if part == total:
        return "100%"
    return f"{min(99.9, round(100 * part / total, 1))}%"


def share(part: int | str, total: int | str) -> str:
    """“2 of 3”."""
    return whole(f"{part} of {total}")


def relative(moment: datetime | None, now: datetime) -> str:
    """“4 min ago”, “in 12 min”, after seven days the date. The browser lets it tick."""
    if moment is None:
        return UNKNOWN
    seconds = (now - moment).total_seconds()
    if abs(seconds) > RELATIVE_FOR.total_seconds():
        return whole(f"{moment:%b} {moment.day}, {moment.year}")
    if 0 <= seconds < 5:
        return whole("just now")
    said = _one_unit(abs(seconds))
    return whole(f"{said} ago" if seconds >= 0 else f"in {said}")


def moment(at: datetime | None, zone: str = "UTC") -> str:
    """“Nov 22, 2026, 14:02:10 CET (13:02:10 UTC)”: what hover and focus tell, and may break."""
    if at is None:
        return UNKNOWN
    local, utc = at.astimezone(ZoneInfo(zone)), at.astimezone(ZoneInfo("UTC"))
    said = f"{local:%b} {local.day}, {local.year}, {local:%H:%M:%S %Z}"
    return said if zone == "UTC" else f"{said} ({utc:%H:%M:%S} UTC)"


def day(at: date) -> str:
    """“Nov 22”."""
    return whole(f"{at:%b} {at.day}")


def short(at: datetime) -> str:
    """“Nov 22, 14:00”, on the clock it is given in."""
    return whole(f"{day(at)}, {at:%H:%M}")


def clock_time(at: datetime | None, zone: str = "UTC") -> str:
    """“14:15”, in 24 hours."""
    return UNKNOWN if at is None else f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def plural(number: int, noun: str, several: str | None = None) -> str:
    """“1 row”, “1,204 rows”."""
    return whole(f"{exact(number)} {noun if number == 1 else several or noun + 's'}")


def whole(said: str) -> str:
    """What does not break inside, whatever the width."""
    return said.replace(" ", NBSP)


def _one_unit(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 86_400:
        return f"{int(seconds // 3600)} h"
    return plural(int(seconds // 86_400), "day")


def _scaled(number: float, scale: tuple[tuple[float, str], ...]) -> str:
    """Three digits and the unit that fits them, trailing zeros dropped: 2,400,000 → “2.4 M”."""
    for limit, unit in scale:
        shown = float(f"{number / limit:.3g}")
        if shown >= 1:
            return whole(f"{shown:.3g} {unit}" if shown < 1000 else f"{shown:,.0f} {unit}")
    return f"{number:,.0f}"
