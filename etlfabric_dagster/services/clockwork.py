"""When a schedule fires next. Pure: cron in its time zone, right across daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from etlfabric_dagster.errors import InvalidInputError

MIN_INTERVAL_S = 60
MAX_INTERVAL_S = 366 * 24 * 3600
MAX_JITTER_S = 24 * 3600
NO_DELAY, SECOND = timedelta(0), timedelta(seconds=1)


def next_fire(
    cron: str | None,
    interval_s: int | None,
    timezone: str,
    after: datetime,
    last: datetime | None,
    delay: timedelta = NO_DELAY,
) -> datetime:
    """The first moment later than `after` (aware), in UTC.

    An interval counts on from `last`, so that a late poll does not move the clock; slots that have
    passed meanwhile are left out. A `delay` shifts a cron's whole clock: no slot is lost or
    comes twice, however long it is. An interval starts anywhere, so its shift is its first step.
    """
    if cron is not None:
        return _next_slot(cron, ZoneInfo(timezone), after - delay) + delay
    step = timedelta(seconds=interval_s or MIN_INTERVAL_S)
    if last is None or last > after:
        return after + step + delay
    return last + step * ((after - last) // step + 1)


def _next_slot(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """CronSim steps by the hour over a half hour that comes twice (Lord Howe), and past slots:
    it is asked again from a change of clocks on the way, and from where the clock shows new times.
    """
    found = _first_slot(cron, zone, after)
    shift = abs(_offset(zone, found) - _offset(zone, after))
    if not shift:
        return found
    change = _change_between(zone, after, found)
    again = (change - SECOND, change + shift - SECOND)
    return min(found, *(_first_slot(cron, zone, start) for start in again))


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or NO_DELAY


def _first_slot(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """In an hour that comes twice CronSim names slots of the first one, which may have passed."""
    slots = CronSim(cron, after.astimezone(zone))
    return next(found for slot in slots if (found := slot.astimezone(UTC)) > after)


def _change_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """When the zone's offset, another at the end, became it; to the second."""
    offset = _offset(zone, low)
    while high - low > SECOND:
        middle = low + (high - low) / 2
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    return high.replace(microsecond=0)


def delay(schedule_id: UUID, jitter_s: int) -> timedelta:
    """How much later than its slots a schedule fires: 0 to `jitter_s`, always the same for one
    schedule, so that many on one cron spread out while each keeps its rhythm.
    """
    return timedelta(seconds=schedule_id.int % (jitter_s + 1))


def check(cron: str | None, interval_s: int | None, timezone: str, jitter_s: int = 0) -> None:
    """Raises InvalidInputError, naming the field, for what cannot be a schedule."""
    if (cron is None) == (interval_s is None):
        raise InvalidInputError(
            "A schedule has either a cron expression or an interval.",
            "Give one of the two: --cron or --interval.",
            field="cron",
        )
    check_timezone(timezone)
    if cron is not None:
        _check_cron(cron, timezone)
    elif not MIN_INTERVAL_S <= (interval_s or 0) <= MAX_INTERVAL_S:
        raise InvalidInputError(
            f"An interval of {interval_s} s is not between {MIN_INTERVAL_S} s and 366 days.",
            "Give the interval in seconds, 60 or more.",
            field="interval_s",
        )
    if not 0 <= jitter_s <= MAX_JITTER_S:
        raise InvalidInputError(
            f"A jitter of {jitter_s} s is not between 0 s and a day.",
            "Give the greatest delay in seconds, or leave it out.",
            field="jitter_s",
        )


def check_timezone(timezone: str) -> None:
    """Raises InvalidInputError unless it is an IANA name."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidInputError(
            f"'{timezone[:60]}' is not a time zone.",
            "Use an IANA name such as Europe/Berlin or UTC.",
            field="timezone",
        ) from exc


def _check_cron(cron: str, timezone: str) -> None:
    fields = cron.split()
    remedy = 'Write 5 fields: minute hour day month weekday, e.g. "*/15 * * * *".'
    if len(fields) != 5:
        raise InvalidInputError(
            f"The cron expression '{cron[:80]}' has {len(fields)} fields.", remedy, field="cron"
        )
    try:
        next(CronSim(cron, datetime.now(ZoneInfo(timezone))))
    except CronSimError as exc:
        raise InvalidInputError(
            f"The cron expression '{cron[:80]}' cannot be read: {exc}.", remedy, field="cron"
        ) from exc
    except StopIteration as exc:
        raise InvalidInputError(
            f"The cron expression '{cron[:80]}' never fires.", remedy, field="cron"
        ) from exc
