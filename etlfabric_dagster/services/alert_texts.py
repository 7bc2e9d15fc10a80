"""What alerts say, for people and for programs, and when they may say it. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from etlfabric_dagster.schemas.alerts import AlertKind, AlertMessage

_OPENED = {
    AlertKind.FAILURE: "{pipeline} failed",
    AlertKind.STALENESS: "{pipeline} is late",
    AlertKind.SCHEMA_CHANGE: "{pipeline}: the source changed its schema",
}


def title(event: str, kind: AlertKind, pipeline: str, org: str) -> str:
    """One line: what happened to which pipeline."""
    if event == "test":
        return f"Test message from {org}"
    if event == "recovered":
        return f"{pipeline} recovered ({org})"
    return f"{_OPENED[kind].format(pipeline=pipeline)} ({org})"


def mail_text(message: AlertMessage) -> str:
    """The body of a mail."""
    parts = [message.message, message.remedy, "", f"Org: {message.org}"]
    if message.event != "test":
        parts += [f"Pipeline: {message.pipeline}", f"Since: {_moment(message.opened_at)}"]
    if message.recovered_at:
        parts.append(f"Until: {_moment(message.recovered_at)}")
    if message.run_id:
        parts.append(f"Run: {message.run_id}")
    return "\n".join([*parts, f"Rule: {message.rule}"]).strip() + "\n"


def slack_body(message: AlertMessage) -> str:
    """What Slack, Mattermost, Rocket.Chat and Discord's `/slack` endpoint take."""
    lines = [f"*{_escaped(message.title)}*", _escaped(message.message)]
    if message.remedy:
        lines.append(_escaped(message.remedy))
    if message.run_id:
        lines.append(f"Run `{message.run_id}`")
    return json.dumps({"text": "\n".join(lines)}, ensure_ascii=False)


def webhook_body(message: AlertMessage) -> str:
    """The JSON that is signed, byte by byte."""
    return message.model_dump_json()


def due(now: datetime, quiet_from: str | None, quiet_to: str | None, timezone: str) -> datetime:
    """`now`, or the end of the quiet hours that `now` lies in (which may span midnight)."""
    if quiet_from is None or quiet_to is None or quiet_from == quiet_to:
        return now
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    begin, end = time.fromisoformat(quiet_from), time.fromisoformat(quiet_to)
    clock = local.time().replace(tzinfo=None)
    overnight = begin > end
    is_quiet = (clock >= begin or clock < end) if overnight else begin <= clock < end
    if not is_quiet:
        return now
    days = timedelta(days=1 if overnight and clock >= begin else 0)
    return datetime.combine(local.date() + days, end, zone).astimezone(UTC)


def schema_text(changes: list[dict[str, Any]]) -> str:
    """The first changes in words, and how many more there are."""
    words = [_change(change) for change in changes[:5]]
    more = f" And {len(changes) - 5} more." if len(changes) > 5 else ""
    return "; ".join(words) + "." + more


def _change(change: dict[str, Any]) -> str:
    what = f"{change['stream']}.{change['column']}" if change.get("column") else change["table"]
    types = ""
    if change.get("old_type") and change.get("new_type"):
        types = f" from {change['old_type']} to {change['new_type']}"
    elif change.get("new_type"):
        types = f" ({change['new_type']})"
    verb = str(change["change"]).replace("_", " ")
    return f"{what} {verb}{types}, {change.get('decision', 'taken')}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _escaped(text: str) -> str:
    """Slack's three control characters: nothing in a message becomes a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
