"""Choosing when something runs, shared by the wizard and a pipeline's page."""

from __future__ import annotations

from datetime import datetime
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


class ScheduleChoice(rx.State, mixin=True):
    """A preset or a cron expression, in a time zone, with the runs to come."""

    preset: str = "hourly"
    cron: str = ""
    zone: str = "UTC"
    in_words: str = ""
    upcoming: list[str] = []
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
        self.in_words, self.upcoming, self.cron_error, self.zone_error = "", [], "", ""
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


def cron_in_words(cron: str) -> str:
    """“At 06:00 every day”."""
    said = {expression: preset for preset, expression in CRONS.items()}.get(cron, "")
    plain = {"15min": "Every 15 min", "hourly": "Every hour", "daily": "Daily at 06:00"}
    return plain.get(said) or CronSim(cron, datetime(2026, 1, 1)).explain()  # noqa: DTZ001


def interval_in_words(seconds: int) -> str:
    """“Every 10 min”."""
    return f"Every {formats.duration(seconds).removesuffix(' 0 s').removesuffix(' 00 min')}"


def next_in_words(cron: str, zone: str, now: datetime) -> list[str]:
    """The next five runs in the zone's clock."""
    found, at = [], now
    for _ in range(SHOWN):
        at = clockwork.next_fire(cron, None, zone, at, at)
        local = at.astimezone(ZoneInfo(zone))
        found.append(f"{local:%a}, {local:%b} {local.day}, {local:%H:%M}")
    return found
