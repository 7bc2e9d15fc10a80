"""Alerts: what goes on, what was, what is told to whom."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import reflex as rx

from etlfabric_dagster import clock
from etlfabric_dagster.errors import FabricError, InvalidInputError
from etlfabric_dagster.schemas.alerts import (
    AlertKind,
    ChannelKind,
    ChannelOut,
    DeliveryStatus,
    IncidentOut,
    RuleOut,
)
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import alerts, deliveries, incidents, mutes
from etlfabric_dagster.services.scope import org_scope
from etlfabric_ui import formats, routes
from etlfabric_ui.state.base import FormsState, moment
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.receipts import done, undoable
from etlfabric_ui.state.zones import zone
from etlfabric_ui.views.settings import ChannelRow, IncidentRow, RuleRow

PAGE = 50
TABS = ("open", "history", "rules")
MUTE_H = 24
KINDS = {
    AlertKind.FAILURE: "failure",
    AlertKind.RECOVERY: "recovery",
    AlertKind.STALENESS: "late data",
    AlertKind.SCHEMA_CHANGE: "schema change",
}
HEADLINES = {
    AlertKind.FAILURE: "failing",
    AlertKind.STALENESS: "late",
    AlertKind.SCHEMA_CHANGE: "changed its schema",
    AlertKind.RECOVERY: "recovered",
}


class AlertsState(FormsState, rx.State):
    """One tab of three."""

    tab: str = "open"
    incidents: list[IncidentRow] = []
    cursor: str = ""
    next_cursor: str = ""
    rules: list[RuleRow] = []
    channels: list[ChannelRow] = []
    edited: RuleRow = RuleRow("", "", "", "", "", True)
    """The rule in the form; a new one has no name."""
    editing: bool = False
    sent: str = ""
    sent_to: str = ""
    sent_ok: bool = True
    secret: str = ""
    """A new webhook's signing secret, on the page until it is left."""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, visit: Visit) -> None:
        """Read the tab that the URL names."""
        self._clear()
        query = self.router.url.query_parameters
        wanted = query.get("tab", "open")
        self.tab = wanted if wanted in TABS else "open"
        self.cursor = query.get("cursor", "")[:200]
        self.sent = self.secret = ""
        self.editing = False
        await self._read(visit)

    @rx.event
    @guarded(Role.VIEWER)
    async def poll(self, visit: Visit, _at: Any) -> None:
        """What opened or ended meanwhile."""
        if self.loaded and self.tab == "open":
            await self._read(visit)

    @rx.event
    @guarded(Role.EDITOR)
    async def mute(self, visit: Visit, incident_id: str) -> Any:
        """Tell nobody of it for 24 hours."""
        await self._mute(visit, incident_id, MUTE_H)
        return undoable("Muted for 24 h.", AlertsState, "unmute", incident_id)

    @rx.event
    @guarded(Role.EDITOR)
    async def unmute(self, visit: Visit, incident_id: str) -> None:
        """Tell of it again."""
        await self._mute(visit, incident_id, 0)

    @rx.event
    @guarded(Role.EDITOR)
    async def edit(self, _visit: Visit, name: str) -> None:
        """Open the form of a rule, or of a new one."""
        self._clear()
        none = RuleRow("", "", "", "", "", True, kinds=["failure", "recovery"])
        self.edited = next((one for one in self.rules if one.name == name), none)
        self.editing = True

    @rx.event
    @guarded(Role.EDITOR)
    async def close(self, _visit: Visit) -> None:
        """Leave the form."""
        self.editing = False
        self._clear()

    @rx.event
    @guarded(Role.EDITOR)
    async def save_rule(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Create or replace a rule."""
        self._clear()
        try:
            name = self.edited.name or str(given.get("name", "")).strip()
            async with org_scope(visit.actor, visit.org) as scope:
                await alerts.put_rule(scope, name, rule_settings(given))
        except FabricError as exc:
            return self._refuse("rule", exc)
        self.editing = False
        await self._read(visit)
        return done(f"Rule {name} saved.")

    @rx.event
    @guarded(Role.EDITOR)
    async def remove_rule(self, visit: Visit, name: str) -> Any:
        """Delete a rule and its incidents."""
        async with org_scope(visit.actor, visit.org) as scope:
            await alerts.delete_rule(scope, name)
        self.editing = False
        await self._read(visit)
        return done(f"Rule {name} deleted.")

    @rx.event
    @guarded(Role.EDITOR)
    async def add_channel(self, visit: Visit, given: dict[str, Any]) -> Any:
        """Somewhere alerts may go."""
        self._clear()
        self.sent = self.secret = ""
        target = str(given.get("target", "")).strip()
        kind = ChannelKind(str(given.get("kind", ChannelKind.EMAIL)))
        where: dict[str, Any] = (
            {"to": target.replace(",", " ").split()}
            if kind is ChannelKind.EMAIL
            else {"url": target}
        )
        name = str(given.get("name", "")).strip()
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                made = await alerts.create_channel(scope, name, kind, **where)
        except FabricError as exc:
            return self._refuse("channel", exc)
        self.secret = made.signing_secret or ""
        await self._read(visit)
        return done(f"Channel {name} added.")

    @rx.event
    @guarded(Role.EDITOR)
    async def remove_channel(self, visit: Visit, name: str) -> Any:
        """Delete a channel that no rule uses."""
        self._clear()
        try:
            async with org_scope(visit.actor, visit.org) as scope:
                await alerts.delete_channel(scope, name)
        except FabricError as exc:
            return self._refuse("channel", exc)
        await self._read(visit)
        return done(f"Channel {name} deleted.")

    @rx.event
    @guarded(Role.EDITOR)
    async def test(self, visit: Visit, channel: str) -> AsyncIterator[Any]:
        """Send a test now, and say what became of it."""
        self._clear()
        self.busy, self.sent, self.sent_to = channel, "", channel
        yield
        began = time.monotonic()
        try:
            found = await deliveries.test(visit.actor, visit.org, channel)
            took = formats.duration(time.monotonic() - began)
            self.sent_ok = found.ok
            self.sent = (
                f"Sent. Accepted after {took}."
                if found.ok
                else f"{found.cause or ''} {found.remedy or ''}".strip()
            )
        except FabricError as exc:
            self.sent_ok, self.sent = False, f"{exc.message} {exc.remedy}"
        self.busy = ""

    async def _mute(self, visit: Visit, incident_id: str, hours: int) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            await mutes.mute(scope, UUID(incident_id), hours)
        await self._read(visit)

    async def _read(self, visit: Visit) -> None:
        async with org_scope(visit.actor, visit.org) as scope:
            rules = (await alerts.list_rules(scope)).items
            channels = (await alerts.list_channels(scope)).items
            if self.tab != "rules":
                found = await incidents.list_incidents(
                    scope,
                    open_only=self.tab == "open",
                    cursor=self.cursor or None,
                    limit=PAGE,
                )
                self.incidents = [incident_row(one) for one in found.items]
                self.next_cursor = found.next or ""
        self.rules = [rule_row(one) for one in rules]
        self.channels = [channel_row(one, rules) for one in channels]
        self.loaded = True


def to_tab(org: str, tab: str) -> str:
    """The tab's URL."""
    return f"{routes.to(routes.ALERTS, org_slug=org)}?tab={tab}"


def incident_row(one: IncidentOut) -> IncidentRow:
    """An incident in words."""
    muted = one.muted_until if one.muted_until and one.muted_until > clock.now() else None
    lasts = one.recovered_at is None
    state = {AlertKind.FAILURE: "failing", AlertKind.STALENESS: "late"}.get(one.kind, "warning")
    return IncidentRow(
        id=str(one.id),
        state=state if lasts else "healthy" if one.kind in HEADLINES else "warning",
        what=HEADLINES[one.kind],
        pipeline=one.pipeline,
        message=one.message,
        remedy=one.remedy,
        opened=moment(one.opened_at),
        recovered=moment(one.recovered_at),
        muted=moment(muted),
        repeated=f"{one.occurrences} times" if one.occurrences > 1 else "once",
        told=told(one),
        run_id=str(one.run_id or ""),
    )


def told(one: IncidentOut) -> str:
    """“told: owners, ops; hook failed: …”."""
    sent = [d.channel for d in one.deliveries if d.status is DeliveryStatus.SENT]
    waiting = [d.channel for d in one.deliveries if d.status is DeliveryStatus.QUEUED]
    failed = [
        f"{d.channel} failed: {d.error}"
        for d in one.deliveries
        if d.status is DeliveryStatus.FAILED
    ]
    parts = [f"told: {', '.join(dict.fromkeys(sent))}"] if sent else []
    parts += [f"being told: {', '.join(dict.fromkeys(waiting))}"] if waiting else []
    return "; ".join([*parts, *failed]) or "told: nobody"


def rule_row(one: RuleOut) -> RuleRow:
    """A rule in words, and its values for the form."""
    kinds = [KINDS[kind] for kind in one.kinds]
    if one.stale_after_s and AlertKind.STALENESS in one.kinds:
        kinds = [
            f"stale for {formats.duration(one.stale_after_s)}" if kind == "late data" else kind
            for kind in kinds
        ]
    quiet = f"{one.quiet_from} to {one.quiet_to} ({one.timezone})" if one.quiet_from else "none"
    return RuleRow(
        name=one.name,
        when=", ".join(kinds).capitalize(),
        pipelines=", ".join(one.pipelines) if one.pipelines is not None else "all",
        told=", ".join(one.channels),
        quiet=quiet,
        enabled=one.enabled,
        kinds=[str(kind) for kind in one.kinds],
        channels=list(one.channels),
        only=", ".join(one.pipelines or ()),
        stale_h=f"{one.stale_after_s / 3600:g}" if one.stale_after_s else "",
        quiet_from=one.quiet_from or "",
        quiet_to=one.quiet_to or "",
    )


def channel_row(one: ChannelOut, rules: Sequence[RuleOut]) -> ChannelRow:
    """A channel, and which rules use it."""
    using = [rule.name for rule in rules if one.name in rule.channels]
    kind = {"email": "Email", "slack": "Slack-compatible", "webhook": "Webhook"}[one.kind]
    return ChannelRow(one.name, kind, ", ".join(one.to) or one.host or "", ", ".join(using) or "—")


def rule_settings(given: dict[str, Any]) -> dict[str, Any]:
    """What a form says, as the service takes it. Raises InvalidInputError."""
    only = str(given.get("only", "")).replace(",", " ").split()
    stale = str(given.get("stale_h", "")).strip().replace(",", ".")
    try:
        stale_after_s = round(float(stale) * 3600) if stale else None
    except ValueError as exc:
        raise InvalidInputError(
            f"“{stale}” is no number of hours.", "Write a number, or nothing.", field="stale_h"
        ) from exc
    prefix = "channel."
    return {
        "kinds": [str(kind) for kind in AlertKind if given.get(f"kind.{kind}")],
        "channels": [
            name.removeprefix(prefix) for name in given if name.startswith(prefix) and given[name]
        ],
        "pipelines": only or None,
        "stale_after_s": stale_after_s,
        "quiet_from": str(given.get("quiet_from", "")) or None,
        "quiet_to": str(given.get("quiet_to", "")) or None,
        "timezone": zone(),
        "enabled": bool(given.get("enabled")),
    }
