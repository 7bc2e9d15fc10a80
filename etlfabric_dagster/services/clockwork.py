"""When a schedule fires next. Pure: cron in its time zone, right across daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from etlfabric_dagster.errors import InvalidInputError

MIN_INTERVAL_S = 60
MAX_INTERVAL_S = 366 * 24 * 3600


def next_fire(
    cron: str | None, interval_s: int | None, timezone: str, after: datetime, last: datetime | None
) -> datetime:
    """The first moment later than `after` (aware), in UTC.

    An interval counts on from `last`, so that a late poll does not move the clock; slots that have
    passed meanwhile are left out.
    """
    if cron is not None:
        return next(CronSim(cron, after.astimezone(ZoneInfo(timezone)))).astimezone(UTC)
    step = timedelta(seconds=interval_s or MIN_INTERVAL_S)
    if last is None or last > after:
        return after + step
    return last + step * ((after - last) // step + 1)


def check(cron: str | None, interval_s: int | None, timezone: str) -> None:
    """Raises InvalidInputError, naming the field, for what cannot be a schedule."""
    if (cron is None) == (interval_s is None):
        raise InvalidInputError(
            "A schedule has either a cron expression or an interval.",
            "Give one of the two: --cron or --interval.",
            field="cron",
        )
    _check_timezone(timezone)
    if cron is not None:
        _check_cron(cron, timezone)
    elif not MIN_INTERVAL_S <= (interval_s or 0) <= MAX_INTERVAL_S:
        raise InvalidInputError(
            f"An interval of {interval_s} s is not between {MIN_INTERVAL_S} s and 366 days.",
            "Give the interval in seconds, 60 or more.",
            field="interval_s",
        )


def _check_timezone(timezone: str) -> None:
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
