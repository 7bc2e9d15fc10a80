"""Alert channels and rules, as people set them. Secrets of channels are sealed and write-only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from etlfabric_dagster.errors import ConflictError, InvalidInputError, NotFoundError
from etlfabric_dagster.models import AlertChannel, AlertRule, Pipeline
from etlfabric_dagster.schemas.alerts import (
    AlertKind,
    ChannelKind,
    ChannelOut,
    RuleOut,
    RuleSettings,
)
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.security import signing
from etlfabric_dagster.services import addresses, audit, clockwork
from etlfabric_dagster.services.connections import check_name
from etlfabric_dagster.services.scope import OrgScope
from etlfabric_dagster.services.vault import vault

MAX_RECIPIENTS = 20
MAX_URL = 2000

_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,189}")


async def create_channel(
    scope: OrgScope,
    name: str,
    kind: ChannelKind,
    *,
    to: Sequence[str] = (),
    url: str | None = None,
    signing_secret: str | None = None,
) -> ChannelOut:
    """Store a channel; nothing is dialled. A `webhook` gets a signing secret, shown this once.

    Raises InvalidInputError, ConflictError.
    """
    scope.require("alerts.update")
    check_name(name, "channel")
    row = AlertChannel(id=uuid4(), org_id=scope.org_id, name=name, kind=kind)
    secret = _set(scope, row, to, url, signing_secret)
    await _may_write_to(scope, row)
    scope.session.add(row)
    await _flush(scope, f"There is already a channel '{name}' in '{scope.slug}'.")
    await scope.session.refresh(row)
    await _record(scope, f"channels/{name}", after=_channel_out(row))
    return _channel_out(row, secret)


async def update_channel(
    scope: OrgScope,
    name: str,
    *,
    to: Sequence[str] = (),
    url: str | None = None,
    signing_secret: str | None = None,
) -> ChannelOut:
    """Replace where it leads; the signing secret stays unless a new one is given."""
    scope.require("alerts.update")
    row = await find_channel(scope, name)
    before = _channel_out(row)
    kept = channel_secrets(row).get("signing_secret") if row.sealed else None
    _set(scope, row, to, url or channel_secrets(row).get("url"), signing_secret or kept)
    await _may_write_to(scope, row)
    await scope.session.flush()
    await scope.session.refresh(row)
    await _record(scope, f"channels/{name}", before=before, after=_channel_out(row))
    return _channel_out(row)


async def list_channels(scope: OrgScope) -> Page[ChannelOut]:
    """All channels by name, without secrets."""
    query = select(AlertChannel).where(AlertChannel.org_id == scope.org_id)
    rows = await scope.session.scalars(query.order_by(AlertChannel.name))
    return Page(items=tuple(map(_channel_out, rows)))


async def get_channel(scope: OrgScope, name: str) -> ChannelOut:
    """One channel, without secrets. Raises NotFoundError."""
    return _channel_out(await find_channel(scope, name))


async def delete_channel(scope: OrgScope, name: str) -> None:
    """Delete it with its history of messages. Raises ConflictError while a rule uses it."""
    scope.require("alerts.update")
    row = await find_channel(scope, name)
    rules = [rule.name for rule in (await list_rules(scope)).items if name in rule.channels]
    if rules:
        raise ConflictError(
            f"Channel '{name}' is used by {', '.join(rules)}.", "Change those rules first."
        )
    await scope.session.delete(row)
    await scope.session.flush()
    await _record(scope, f"channels/{name}", before=_channel_out(row))


async def put_rule(scope: OrgScope, name: str, settings: Mapping[str, Any]) -> RuleOut:
    """Create a rule or replace it. Raises InvalidInputError naming the field."""
    scope.require("alerts.update")
    check_name(name, "rule")
    checked = _parse(settings)
    await _check(scope, checked)
    known = await _rule(scope, name)
    before = _rule_out(known) if known else None
    row = known or AlertRule(id=uuid4(), org_id=scope.org_id, name=name)
    for field, value in checked.model_dump(mode="json").items():
        setattr(row, field, value)
    scope.session.add(row)
    await _flush(scope, f"There is already a rule '{name}' in '{scope.slug}'.")
    await scope.session.refresh(row)
    await _record(scope, f"rules/{name}", before=before, after=_rule_out(row))
    return _rule_out(row)


async def list_rules(scope: OrgScope) -> Page[RuleOut]:
    """All rules by name."""
    query = select(AlertRule).where(AlertRule.org_id == scope.org_id)
    rows = await scope.session.scalars(query.order_by(AlertRule.name))
    return Page(items=tuple(map(_rule_out, rows)))


async def get_rule(scope: OrgScope, name: str) -> RuleOut:
    """One rule. Raises NotFoundError."""
    return _rule_out(await _find_rule(scope, name))


async def delete_rule(scope: OrgScope, name: str) -> None:
    """Delete it with its incidents. Raises NotFoundError."""
    scope.require("alerts.update")
    row = await _find_rule(scope, name)
    await scope.session.delete(row)
    await scope.session.flush()
    await _record(scope, f"rules/{name}", before=_rule_out(row))


async def _find_rule(scope: OrgScope, name: str) -> AlertRule:
    row = await _rule(scope, name)
    if row is None:
        raise NotFoundError(
            f"There is no alert rule '{name[:60]}' in '{scope.slug}'.",
            f"List them: etlfabric alerts rules {scope.slug}",
        )
    return row


async def _may_write_to(scope: OrgScope, row: AlertChannel) -> None:
    """People write to their own address before it is verified, to others after."""
    to = row.config.get("to", ())
    if any(address != scope.actor.label for address in to):
        await addresses.require_verified(scope.session, scope.actor)


async def find_channel(scope: OrgScope, name: str) -> AlertChannel:
    """The row. Raises NotFoundError."""
    query = select(AlertChannel).where(
        AlertChannel.org_id == scope.org_id, AlertChannel.name == name
    )
    row = await scope.session.scalar(query)
    if row is None:
        raise NotFoundError(
            f"There is no alert channel '{name[:60]}' in '{scope.slug}'.",
            f"List them: etlfabric alerts channels {scope.slug}",
        )
    return row


def channel_secrets(row: AlertChannel) -> dict[str, str]:
    """URL and signing secret in clear: for a delivery, and nothing else."""
    return vault().open(row.org_id, row.id, row.sealed) if row.sealed else {}


async def _record(
    scope: OrgScope, target: str, before: Value | None = None, after: Value | None = None
) -> None:
    await audit.record(scope, "alerts.update", f"alerts/{target}", before=before, after=after)


def _set(
    scope: OrgScope, row: AlertChannel, to: Sequence[str], url: str | None, secret: str | None
) -> str | None:
    """Write config and secrets; returns the signing secret that was made here."""
    if row.kind == ChannelKind.EMAIL:
        row.config, row.sealed = {"to": _checked_recipients(to)}, None
        return None
    row.config = {"host": _checked_host(url)}
    made = signing.new_secret() if row.kind == ChannelKind.WEBHOOK and not secret else None
    stored = {"url": url or ""}
    if signing_secret := secret or made:
        stored["signing_secret"] = signing_secret
    row.sealed = vault().seal(scope.org_id, row.id, stored)
    return made


def _checked_recipients(to: Sequence[str]) -> list[str]:
    bad = [address[:80] for address in to if not _EMAIL.fullmatch(address)]
    if bad or not 1 <= len(to) <= MAX_RECIPIENTS:
        what = f"'{bad[0]}' is no mail address." if bad else f"{len(to)} addresses were given."
        raise InvalidInputError(what, f"Give 1 to {MAX_RECIPIENTS} mail addresses.", field="to")
    return list(dict.fromkeys(to))


def _checked_host(url: str | None) -> str:
    try:
        parts = urlsplit(url or "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if (
        parts.scheme not in ("https", "http")
        or not host
        or parts.username
        or len(url or "") > MAX_URL
    ):
        raise InvalidInputError(
            "The channel's URL cannot be called.",
            "Give the whole https:// address that the service showed you.",
            field="url",
        )
    return host


def _parse(settings: Mapping[str, Any]) -> RuleSettings:
    try:
        return RuleSettings.model_validate(settings)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, error["loc"]))
        raise InvalidInputError(
            f"{field}: {error['msg']}.", "Correct the rule.", field=field
        ) from exc


async def _check(scope: OrgScope, rule: RuleSettings) -> None:
    if not rule.kinds or not rule.channels:
        raise InvalidInputError(
            "A rule needs at least one kind and one channel.",
            f"Kinds: {', '.join(AlertKind)}.",
            field="kinds" if rule.channels else "channels",
        )
    if (rule.quiet_from is None) != (rule.quiet_to is None):
        raise InvalidInputError(
            "Quiet hours have a beginning and an end.", "Give both, or none.", field="quiet_to"
        )
    clockwork.check_timezone(rule.timezone)
    for name in rule.channels:
        await find_channel(scope, name)
    if rule.pipelines is not None:
        known = set(await scope.session.scalars(select(Pipeline.name)))
        if unknown := sorted(set(rule.pipelines) - known):
            raise InvalidInputError(
                f"There is no pipeline {', '.join(unknown)[:200]} in '{scope.slug}'.",
                f"List them: etlfabric pipelines list {scope.slug}",
                field="pipelines",
            )


async def _rule(scope: OrgScope, name: str) -> AlertRule | None:
    return await scope.session.scalar(
        select(AlertRule).where(AlertRule.org_id == scope.org_id, AlertRule.name == name)
    )


async def _flush(scope: OrgScope, conflict: str) -> None:
    try:
        await scope.session.flush()
    except IntegrityError as exc:
        raise ConflictError(conflict, "Choose another name.") from exc


def _channel_out(row: AlertChannel, signing_secret: str | None = None) -> ChannelOut:
    return ChannelOut(
        id=row.id,
        name=row.name,
        kind=ChannelKind(row.kind),
        to=tuple(row.config.get("to", ())),
        host=row.config.get("host"),
        signing_secret=signing_secret,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _rule_out(row: AlertRule) -> RuleOut:
    fields = {name: getattr(row, name) for name in RuleOut.model_fields}
    return RuleOut.model_validate(fields)
