"""Choosing when something runs, shared by the wizard and a pipeline's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import reflex as rx
from cronsim import CronSim

from etlfabric_dagster import clock
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import clockwork
from etlfabric_ui import formats
from etlfabric_ui.state.guards import Visit, guarded, spoken

CRONS = {"15min": "*/15 * * * *", "hourly": "0 * * * *", "daily": "0 6 * * *"}
CUSTOM, MANUAL = "cron", "manual"
SHOWN = 5
FEW = 3
"""More runs than that in the changed hour are not worth a line."""
NO_SHIFT = timedelta(0)


class ScheduleChoice(rx.State, mixin=True):
    """A preset or a cron expression, in a time zone, with the runs to come."""

    preset: str = "hourly"
    cron: str = ""
    zone: str = "UTC"
    in_words: str = ""
    upcoming: list[str] = []
    clocks: str = ""
    """What a change of clocks ahead does to it."""
    cron_error: str = ""
    zone_error: str = ""

    @rx.event
    @guarded(Role.EDITOR)
    async def pick_preset(self, _visit: Visit, preset: str) -> None:
        """How often it runs; an own expression starts from the preset before."""
        if preset in (*CRONS, CUSTOM, MANUAL):
            self.cron = CRONS.get(preset, self.cron) or CRONS["hourly"]
            self.preset = preset
            self._look_ahead()

    @rx.event
    @guarded(Role.EDITOR)
    async def write_cron(self, _visit: Visit, cron: str) -> None:
        """An own expression."""
        self.preset, self.cron = CUSTOM, cron.strip()[:80]
        self._look_ahead()

    @rx.event
    @guarded(Role.EDITOR)
    async def choose_zone(self, _visit: Visit, zone: str) -> None:
        """Where its clock stands."""
        self.zone = zone.strip()[:60]
        self._look_ahead()

    def _rule(self) -> str | None:
        """The cron expression, None = only by hand."""
        return None if self.preset == MANUAL else CRONS.get(self.preset, self.cron)

    def _take(self, cron: str | None, zone: str) -> None:
        """Show a rule that is set already."""
        known = {expression: preset for preset, expression in CRONS.items()}
        self.preset = MANUAL if cron is None else known.get(cron, CUSTOM)
        self.cron, self.zone = cron or CRONS["hourly"], zone
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.in_words, self.upcoming, self.clocks = "", [], ""
        self.cron_error = self.zone_error = ""
        cron = self._rule()
        if cron is None:
            return
        try:
            clockwork.check(cron, None, self.zone)
        except InvalidInputError as exc:
            said = f"{exc.message} {spoken(exc.remedy)}".strip()
            if exc.where.get("field") == "timezone":
                self.zone_error = said
            else:
                self.cron_error = said
            return
        self.in_words = cron_in_words(cron)
        self.upcoming = next_in_words(cron, self.zone, clock.now())
        self.clocks = clocks_in_words(cron, self.zone, clock.now())


def cron_in_words(cron: str) -> str:
    """“At 06:00 every day”."""
    said = {expression: preset for preset, expression in CRONS.items()}.get(cron, "")
    plain = {
        "15min": formats.whole("Every 15 min"),
        "hourly": "Every hour",
        "daily": "Daily at 06:00",
    }
    return plain.get(said) or CronSim(cron, datetime(2026, 1, 1)).explain()  # noqa: DTZ001


def interval_in_words(seconds: int) -> str:
    """“Every 10 min”."""
    said = formats.duration(seconds)
    return (
        f"Every {said.removesuffix(formats.whole(' 0 s')).removesuffix(formats.whole(' 00 min'))}"
    )


def next_in_words(cron: str, zone: str, now: datetime) -> list[str]:
    """The next five runs in the zone's clock."""
    found, at = [], now
    for _ in range(SHOWN):
        at = clockwork.next_fire(cron, None, zone, at, at)
        local = at.astimezone(ZoneInfo(zone))
        found.append(f"{local:%a}, {formats.short(local)}")
    return found


def clocks_in_words(cron: str, zone: str, now: datetime) -> str:
    """“Clocks change on Mar 28: the 02:30 run happens once.”, when such a run is touched."""
    change = _next_change(ZoneInfo(zone), now)
    if change is None or "*" in cron.split()[1]:  # each hour that passes has its run
        return ""
    # an ordinary day, and of it the hour that is left out or comes twice
    ordinary, touched = change - timedelta(days=7), []
    at = ordinary - timedelta(hours=1, seconds=1)
    while (at := clockwork.next_fire(cron, None, zone, at, at)) < ordinary + timedelta(hours=1):
        touched.append(at.astimezone(ZoneInfo(zone)))
    hours = _changed_hour(ZoneInfo(zone), change)
    times = [f"{at:%H:%M}" for at in touched if at.hour == hours]
    if not times or len(times) > FEW:
        return ""
    runs = "run happens" if len(times) == 1 else "runs happen"
    day = (change - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    return f"Clocks change on {formats.day(day)}: the {', '.join(times)} {runs} once."


def _changed_hour(zone: ZoneInfo, change: datetime) -> int:
    """The hour of the wall clock that does not exist, or exists twice."""
    before = (change - timedelta(seconds=1)).astimezone(zone)
    after = change.astimezone(zone)
    forward = (after.utcoffset() or NO_SHIFT) > (before.utcoffset() or NO_SHIFT)
    return (after - timedelta(hours=1)).hour if forward else after.hour


def _next_change(zone: ZoneInfo, now: datetime) -> datetime | None:
    """When the zone's clocks change next, within half a year; to the hour."""
    at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    offset = at.astimezone(zone).utcoffset()
    days = next(
        (n for n in range(200) if (at + timedelta(days=n)).astimezone(zone).utcoffset() != offset),
        None,
    )
    if days is None:
        return None
    start = at + timedelta(days=days - 1)
    steps = (start + timedelta(hours=n) for n in range(25))
    return next(step for step in steps if step.astimezone(zone).utcoffset() != offset)
