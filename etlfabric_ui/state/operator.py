"""For operators: all orgs, and how the install's processes and protections stand."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import Any

import reflex as rx

from etlfabric_dagster import __version__
from etlfabric_dagster.embedded import stack
from etlfabric_dagster.embedded.stack import StackStatus
from etlfabric_dagster.errors import FabricError, InvalidInputError
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.fleet import FleetLoad, OrgCard
from etlfabric_dagster.schemas.usage import QuotaState
from etlfabric_dagster.services import fleet, fleet_orgs, orgs, quotas
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats
from etlfabric_ui.state.base import (
    FormsState,
    PageState,
    browser_zone,
    dagster_at,
    moment,
    query_of,
)
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done
from etlfabric_ui.state.zones import use_zone
from etlfabric_ui.views.settings import FleetRow, OrgRow
from etlfabric_ui.views.shared import Problem

GB = 10**9
ELSEWHERE = (
    "This install was not started by “up” on this machine, so its processes and controls cannot be "
    "asked from here. The queue above is read from the database."
)
CONTROL_WORDS = {
    "home_private": "Home readable by its user only",
    "platform_not_superuser": "Platform's login is no superuser",
    "databases_closed_to_public": "Databases closed to PUBLIC",
    "functions_closed_to_public": "Functions closed to PUBLIC",
    "passwords_demanded": "Passwords demanded for every login",
    "temporary_files_limited": "Temporary files limited",
    "egress_private_networks_closed": "Private networks closed",
    "egress_platform_closed": "Platform's own servers closed",
    "sandbox_environment_clean": "Sandbox without secrets",
    "sandbox_without_network": "dbt without network",
}


class OperatorOrgsState(PageState, rx.State):
    """All orgs, by slug, searched and paged on the server."""

    rows: list[OrgRow] = []
    q: str = ""
    cursor: str = ""
    next_cursor: str = ""
    query: str = ""
    """The filter, as the URL's query."""
    summary: str = ""
    exists: bool = False

    @rx.event
    @guarded(None, operator=True)
    async def load(self, visit: Visit) -> None:
        """Read the page that the URL names."""
        self.problem = Problem()
        query = self.router.url.query_parameters
        self.q, self.cursor = query.get("q", "")[:60], query.get("cursor", "")[:60]
        await self._read(visit)

    @rx.event
    @guarded(None, operator=True)
    async def search(self, visit: Visit, q: str) -> None:
        """Those whose slug or name contains it; stands in the URL."""
        self.q, self.cursor = q[:60], ""
        await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        use_zone(browser_zone(self.router.headers.cookie))
        found = await fleet_orgs.list_orgs(visit.actor, self.q, self.cursor or None)
        totals = (await fleet.status(visit.actor)).totals
        self.rows = [org_row(one) for one in found.items]
        self.query = query_of(q=self.q, cursor=self.cursor)
        self.next_cursor, self.exists = found.next or "", totals.orgs > 0
        self.summary = (
            f"{formats.plural(totals.orgs, 'org')} · {totals.active} active · "
            f"{totals.failing} with failures in {formats.whole('24 h')} · "
            f"{totals.running} running · {totals.queued} queued"
        )
        self.loaded = True


class OperatorOrgState(FormsState, rx.State):
    """One org as operators see it: what suspending would do, its limits."""

    slug: str = ""
    name: str = ""
    state: str = "healthy"
    card: OrgRow = OrgRow("", "", "", "", "", "", "", "", moment(None))
    consequences: str = ""
    max_runs: str = ""
    weight: str = ""
    rows_limit: str = ""
    """Rows a month, as typed; "" = without limit."""
    storage_limit: str = ""
    """GB of tables, likewise."""
    used: str = ""

    @rx.event
    @guarded(None, operator=True)
    async def load(self, visit: Visit) -> None:
        """Read it."""
        self._clear()
        await self._read(visit)

    @rx.event
    @guarded(None, operator=True)
    async def suspend(self, visit: Visit) -> Any:
        """Cancel its runs, close its logins, skip its schedules."""
        await orgs.suspend(visit.actor, self._target())
        await self._read(visit)
        return done(f"{self.slug} is suspended. All its data is kept.")

    @rx.event
    @guarded(None, operator=True)
    async def resume(self, visit: Visit) -> Any:
        """Open it again."""
        await orgs.resume(visit.actor, self._target())
        await self._read(visit)
        return done(f"{self.slug} is active.")

    @rx.event
    @guarded(None, operator=True)
    async def limit(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Change its share of the workers."""
        self._clear()
        try:
            await orgs.set_limits(
                visit.actor,
                self._target(),
                max_concurrent_runs=_whole(given, "max_runs"),
                weight=_whole(given, "weight"),
            )
        except FabricError as exc:
            return self._refuse("limits", exc)
        await self._read(visit)
        return done("Saved.")

    @rx.event
    @guarded(None, operator=True)
    async def set_quota(self, visit: Visit, given: dict[str, Any]) -> Any:
        """What it may use; an empty field is without limit."""
        self._clear()
        try:
            gigabytes = _limit(given, "storage_limit")
            await quotas.set_quota(
                visit.actor,
                self._target(),
                rows_per_month=_rounded(_limit(given, "rows_limit")),
                storage_bytes=_rounded(gigabytes * GB if gigabytes is not None else None),
            )
        except FabricError as exc:
            return self._refuse("quota", exc)
        await self._read(visit)
        return done("Saved.")

    def _target(self) -> str:
        return str(getattr(self, "target_slug", "") or "")

    async def _read(self, visit: Visit) -> None:
        use_zone(browser_zone(self.router.headers.cookie))
        found = await orgs.get(visit.actor, self._target())
        self.slug, self.name, self.state = found.slug, found.name, str(found.status)
        self.max_runs, self.weight = str(found.max_concurrent_runs), str(found.weight)
        async with org_scope(visit.actor, found.slug) as scope:
            self._show_quota(await quotas.state(scope.session, scope.org_id))
        cards = (await fleet_orgs.list_orgs(visit.actor, self.slug)).items
        self.card = next((org_row(one) for one in cards if one.slug == self.slug), self.card)
        would = await fleet_orgs.consequences(visit.actor, self.slug)
        self.consequences = (
            f"Cancels {formats.plural(would.runs, 'run')}, "
            f"skips {formats.plural(would.schedules, 'schedule')}, "
            f"closes {formats.plural(would.logins, 'login')}. Data is kept."
        )
        self.loaded = True

    def _show_quota(self, quota: QuotaState) -> None:
        rows, size = quota.rows_per_month, quota.storage_bytes
        self.rows_limit = formats.exact(rows) if rows else ""
        self.storage_limit = f"{size / GB:g}" if size else ""
        used = f"{formats.plural(quota.rows_used, 'row')} this month"
        if quota.storage_used_bytes is not None:
            used += f", {formats.size(quota.storage_used_bytes)} stored"
        self.used = f"{used}. {' '.join(quota.warnings)}".strip()


class FleetState(PageState, rx.State):
    """Processes, queue, leases, protections."""

    sentence: str = ""
    processes: list[FleetRow] = []
    controls: list[FleetRow] = []
    dagster: str = ""
    versions: str = ""
    asked: bool = False
    unknown: str = ""
    """Why processes and controls cannot be told."""

    @rx.event
    @guarded(None, operator=True)
    async def load(self, visit: Visit) -> Any:
        """What the rows tell, at once; the processes are asked behind it."""
        self.problem = Problem()
        load = await fleet_orgs.load(visit.actor)
        self.sentence = queue_words(load)
        self.dagster = dagster_at(str(self.router.url))
        self.versions = f"ETL Fabric {__version__}"
        self.loaded = True
        return type(self).ask()  # pyright: ignore[reportCallIssue]

    @rx.event
    @guarded(None, operator=True)
    async def ask(self, visit: Visit) -> None:
        """Ask every process and try every protection now; a few seconds."""
        load = await fleet_orgs.load(visit.actor)
        self.asked, self.sentence = True, queue_words(load)
        try:
            found = await asyncio.to_thread(stack.status)
        except (FabricError, OSError, ValueError) as exc:  # no home of `up`, or of another kind
            log.info("fleet.not_asked", error=str(exc)[:200])
            self.unknown, self.processes, self.controls = ELSEWHERE, [], []
            return
        self.unknown = ""
        off = sum(state != "on" for state in found.controls.values())
        controls = f"{formats.plural(off, 'control')} off" if off else "all controls on"
        self.sentence = f"{queue_words(load)} · {controls}"
        self.processes, self.controls = process_rows(found), control_rows(found)

    @rx.event
    @guarded(None, operator=True)
    async def poll(self, _visit: Visit, _at: Any) -> Any:
        """The same again while the page is open."""
        return type(self).ask() if self.asked else None  # pyright: ignore[reportCallIssue]


def org_row(one: OrgCard) -> OrgRow:
    """A row of the list."""
    return OrgRow(
        slug=one.slug,
        name=one.name,
        state=str(one.status),
        pipelines=formats.exact(one.pipelines),
        failing=formats.exact(one.failing),
        rows=formats.count(one.rows_per_day),
        storage=formats.size(one.storage_bytes),
        runs=formats.share(one.running, one.max_concurrent_runs),
        active=moment(one.last_active_at),
    )


def queue_words(load: FleetLoad) -> str:
    """“3 runs going · queue 14, oldest waits 38 s (globex) · 0 leases overdue”."""
    waits = (
        f"queue {load.queued}, oldest waits {formats.duration(load.oldest_wait_s)} "
        f"({load.oldest_org})"
        if load.queued
        else "queue empty"
    )
    overdue = formats.plural(load.overdue_leases, "lease")
    return f"{formats.plural(load.running, 'run')} going · {waits} · {overdue} overdue"


def process_rows(found: StackStatus) -> list[FleetRow]:
    """One row a process."""
    return [
        FleetRow(one.name, "healthy" if one.healthy else "failing", one.detail)
        for one in found.processes
    ]


def control_rows(found: StackStatus) -> list[FleetRow]:
    """What is off first: it is never hidden."""
    rows = [
        FleetRow(
            CONTROL_WORDS.get(name, name.replace("_", " ").capitalize()),
            "on" if state == "on" else "off",
            "" if state == "on" else state.removeprefix("off: ").removeprefix("off"),
        )
        for name, state in found.controls.items()
    ]
    return sorted(rows, key=lambda row: (row.state != "off", row.name))


def _limit(given: dict[str, Any], name: str) -> Decimal | None:
    """A number as people type it: “5,000,000”, “2.5”; nothing is no limit."""
    text = re.sub(r"[,_\s]", "", str(given.get(name, "")))
    if not text:
        return None
    if not re.fullmatch(r"\d{1,15}(\.\d{1,6})?", text):
        raise InvalidInputError(
            f"“{text[:20]}” is no number.", "Write a number, or nothing for no limit.", field=name
        )
    return Decimal(text)


def _rounded(limit: Decimal | None) -> int | None:
    return None if limit is None else int(limit)


def _whole(given: dict[str, Any], name: str) -> int:
    text = str(given.get(name, "")).strip()
    if not text.isdigit():
        raise InvalidInputError(f"“{text[:20]}” is no number.", "Write 1 or more.", field=name)
    return int(text)
