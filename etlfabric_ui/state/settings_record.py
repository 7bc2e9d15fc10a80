"""Settings: the audit log, and what the org uses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.schemas.audit import AuditEventOut
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.usage import QuotaState, UsageItem, UsageReport, UsageTotals
from etlfabric_dagster.services import audit, usage
from etlfabric_dagster.services.scope import OrgScope, org_scope
from etlfabric_ui import formats
from etlfabric_ui.state.base import PageState, moment, query_of
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.overview import DayBar
from etlfabric_ui.views.settings import AuditRow, UsageRow
from etlfabric_ui.views.shared import Moment, Problem

PAGE = 50
MOST = 10_000
"""Events in one download."""
DAYS = 30
NOUNS = {"dbt_models": "dbt model", "alerts": "alert settings", "bi": "BI password"}
VERBS = {"put": "saved", "set": "set", "check": "tested", "discover": "looked for streams of"}
VERBS |= {"roll": "rolled", "set_quota": "set the quota of", "make_owner": "made owner of"}
VERBS |= {"rename": "renamed"}
UNTOLD = ("id", "config_version", "sha256")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VIAS = {"ui": "panel", "api": "API", "cli": "command line", "fabric": "Python", "system": "system"}


class AuditState(PageState, rx.State):
    """Who changed what, newest first."""

    rows: list[AuditRow] = []
    domain: str = ""
    cursor: str = ""
    next_cursor: str = ""
    query: str = ""
    """The filter, as the URL's query."""
    verified: Moment = Moment()
    verdict: str = ""
    sound: bool = True

    @rx.event
    @guarded(Role.ADMIN)
    async def load(self, visit: Visit) -> None:
        """Read a page, and walk the chain."""
        self.problem = Problem()
        query = self.router.url.query_parameters
        self.domain, self.cursor = query.get("what", "")[:40], query.get("cursor", "")[:200]
        await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            found = await audit.list_events(
                scope, action=self.domain or None, cursor=self.cursor or None, limit=PAGE
            )
            self.rows = [audit_row(one) for one in found.items]
            self.next_cursor = found.next or ""
            await self._verify(scope)
        self.query = query_of(what=self.domain, cursor=self.cursor)
        self.loaded = True

    @rx.event
    @guarded(Role.ADMIN)
    async def filter(self, visit: Visit, domain: str) -> None:
        """One kind of thing; stands in the URL."""
        self.domain, self.cursor = domain[:40], ""
        await self._read(visit)

    @rx.event
    @guarded(Role.ADMIN)
    async def download(self, visit: Visit) -> Any:
        """What the filter shows, as CSV, the newest 10,000."""
        found: list[AuditEventOut] = []
        cursor: str | None = None
        async with org_scope(visit.actor, visit.org) as scope:
            while len(found) < MOST:
                page = await audit.list_events(
                    scope, action=self.domain or None, cursor=cursor, limit=1000
                )
                found += page.items
                cursor = page.next
                if cursor is None:
                    break
        return rx.download(data=as_csv(found), filename=f"{visit.org}-audit.csv")

    async def _verify(self, scope: OrgScope) -> None:
        report = await audit.verify_own(scope)
        self.verified, self.sound = moment(clock.now()), report.ok
        self.verdict = "Chain verified"
        if report.broken:
            fault = report.broken[0]
            self.verdict = f"The chain is broken at event {fault.seq}: {fault.reason}. Checked"


class UsageState(PageState, rx.State):
    """Rows, bytes and run time, by day and by pipeline, against the quota."""

    days: list[DayBar] = []
    finding: str = ""
    most: str = ""
    by_pipeline: list[UsageRow] = []
    by_day: list[UsageRow] = []
    total: UsageRow = UsageRow("", "", "", "", "")
    rows_said: str = ""
    rows_share: str = "0%"
    storage_said: str = ""
    storage_share: str = "0%"
    warnings: list[str] = []

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read 30 days."""
        self.problem = Problem()
        async with org_scope(visit.actor, visit.org) as scope:
            found = await usage.report(scope)
        self.by_pipeline = _by(found, lambda item: item.pipeline)
        self.by_day = _by(found, lambda item: formats.day(item.day))
        self.total = usage_row("Total", found.total)
        self.days, self.finding, self.most = _bars(found)
        self._quota(found.quota)
        self.loaded = True

    def _quota(self, quota: QuotaState) -> None:
        self.rows_said, self.rows_share = _share(
            quota.rows_used, quota.rows_per_month, formats.exact, "rows this month"
        )
        self.storage_said, self.storage_share = _share(
            quota.storage_used_bytes, quota.storage_bytes, formats.size, "stored"
        )
        self.warnings = list(quota.warnings)


def audit_row(one: AuditEventOut) -> AuditRow:
    """An event as people read it."""
    place = VIAS.get(one.via or "", one.via or "")
    return AuditRow(
        id=str(one.id),
        at=moment(one.at),
        who=one.actor or formats.UNKNOWN,
        what=action_words(one.action),
        target=_shortened((one.target or "").partition("/")[2] or one.target or ""),
        place=f"{place}, {one.address}" if one.address else place,
        changes=changes(one.before, one.after),
    )


def action_words(action: str) -> str:
    """`connections.update` → “Updated connection”."""
    domain, _, verb = action.partition(".")
    noun = NOUNS.get(domain, domain.removesuffix("s").replace("_", " "))
    plain = verb.replace("_", " ")
    past = VERBS.get(verb) or (f"{plain}d" if plain.endswith("e") else f"{plain}ed")
    return f"{past} {noun}".capitalize().replace("Bi ", "BI ").replace("bi p", "BI p")


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """“role: viewer → editor; name: …”, without secrets: those were masked when it was written."""
    old, new = before or {}, after or {}
    told = []
    for key in dict.fromkeys((*old, *new)):
        was, now = _value(old.get(key)), _value(new.get(key))
        both = key in old and key in new
        said = f"{was or 'nothing'} → {now or 'nothing'}" if both else now or was
        if said and key not in UNTOLD:
            told.append(f"{key.replace('_', ' ')}: {said}")
    return "; ".join(told)[:600]


def as_csv(events: Iterable[AuditEventOut]) -> str:
    """A table that any tool reads; before and after as JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["at", "actor", "action", "target", "via", "address", "before", "after"])
    for one in events:
        facts = [json.dumps(part) if part else "" for part in (one.before, one.after)]
        told = [one.at.isoformat(), one.actor, one.action, one.target, one.via, one.address]
        writer.writerow([_inert(str(cell or "")) for cell in [*told, *facts]])
    return out.getvalue()


def usage_row(name: str, used: UsageTotals) -> UsageRow:
    """A row of the tables."""
    return UsageRow(
        name,
        formats.exact(used.rows),
        formats.size(used.bytes),
        formats.duration(used.run_s),
        formats.exact(used.runs),
    )


def _by(found: UsageReport, key: Any) -> list[UsageRow]:
    groups: dict[str, list[UsageItem]] = {}
    for item in found.items:
        groups.setdefault(key(item), []).append(item)
    return [usage_row(name, usage.total(tuple(items))) for name, items in groups.items()]


def _bars(found: UsageReport) -> tuple[list[DayBar], str, str]:
    rows: dict[date, int] = {}
    for item in found.items:
        rows[item.day] = rows.get(item.day, 0) + item.rows
    if not rows:
        return [], "", ""
    most, last = max(rows.values()) or 1, found.date_to
    bars = []
    for back in range(DAYS - 1, -1, -1):
        day = last - timedelta(days=back)
        label = formats.day(day)
        said = f"{label} · {formats.plural(rows[day], 'row')}" if day in rows else label
        height = f"{100 * rows.get(day, 0) / most:.1f}%"
        bars.append(DayBar(label, height, said, back == 0))
    highest = max(rows, key=lambda day: rows[day])
    finding = f"Rows loaded per day: highest {formats.day(highest)}, {formats.exact(most)}"
    return bars, finding, formats.count(most)


def _share(used: int | None, limit: int | None, say: Any, what: str) -> tuple[str, str]:
    if not limit:
        return (f"{say(used)} {what}, no limit" if used is not None else ""), ""
    shown = min(100.0, 100 * (used or 0) / limit)
    return f"{formats.share(say(used or 0), say(limit))} {what}", f"{shown:.1f}%"


def _value(value: Any) -> str:
    """In words; "" for what says nothing."""
    if isinstance(value, dict):
        parts = ((key.replace("_", " "), _value(item)) for key, item in value.items())
        text = ", ".join(f"{key} {said}" for key, said in parts if said)
    elif isinstance(value, list):
        text = ", ".join(filter(None, map(_value, value)))
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _shortened(target: str) -> str:
    """Ids as everywhere in the panel: their first eight digits."""
    return "/".join(part[:8] if _ID.fullmatch(part) else part for part in target.split("/"))


def _inert(cell: str) -> str:
    """A spreadsheet must not take it for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell
