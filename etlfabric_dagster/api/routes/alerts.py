"""Alert channels, rules, and the history of incidents."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.alerts import (
    ChannelKind,
    ChannelOut,
    IncidentOut,
    RuleOut,
    RuleSettings,
)
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.streams import CheckResult
from etlfabric_dagster.services import alerts, deliveries, incidents

router = org_router("alerts")


class ChannelTarget(Value):
    """Where a channel leads."""

    to: tuple[str, ...] = ()
    url: str | None = None
    signing_secret: str | None = None


class ChannelIn(ChannelTarget):
    """A new channel."""

    name: str
    kind: ChannelKind


@router.get("/incidents")
async def list_incidents(
    scope: Scoped,
    page: PageQuery,
    open_only: Annotated[bool, Query(alias="open", description="Only what goes on.")] = False,
    pipeline: Annotated[str | None, Query(max_length=60)] = None,
) -> Page[IncidentOut]:
    """Incidents, newest first, with who was told."""
    return await incidents.list_incidents(
        scope, open_only=open_only, pipeline=pipeline, cursor=page.cursor, limit=page.limit
    )


@router.get("/channels")
async def list_alert_channels(scope: Scoped) -> Page[ChannelOut]:
    """All channels by name, without secrets."""
    return await alerts.list_channels(scope)


@router.post("/channels", status_code=201)
async def create_alert_channel(scope: Scoped, given: ChannelIn) -> ChannelOut:
    """A channel; nothing is dialled. A webhook's signing secret is in this answer only."""
    return await alerts.create_channel(
        scope,
        given.name,
        given.kind,
        to=given.to,
        url=given.url,
        signing_secret=given.signing_secret,
    )


@router.get("/channels/{name}")
async def get_alert_channel(scope: Scoped, name: str) -> ChannelOut:
    """One channel, without secrets."""
    return await alerts.get_channel(scope, name)


@router.put("/channels/{name}")
async def update_alert_channel(scope: Scoped, name: str, given: ChannelTarget) -> ChannelOut:
    """Replace where it leads; secrets that are not given stay."""
    return await alerts.update_channel(
        scope, name, to=given.to, url=given.url, signing_secret=given.signing_secret
    )


@router.delete("/channels/{name}", status_code=204)
async def delete_alert_channel(scope: Scoped, name: str) -> None:
    """Delete a channel that no rule uses."""
    await alerts.delete_channel(scope, name)


@router.post("/channels/{name}/test")
async def test_alert_channel(actor: CurrentActor, slug: Slug, name: str) -> CheckResult:
    """Send a test message now; cause and remedy when it was not taken."""
    return await deliveries.test(actor, slug, name)


@router.get("/rules")
async def list_alert_rules(scope: Scoped) -> Page[RuleOut]:
    """All rules by name."""
    return await alerts.list_rules(scope)


@router.get("/rules/{name}")
async def get_alert_rule(scope: Scoped, name: str) -> RuleOut:
    """One rule."""
    return await alerts.get_rule(scope, name)


@router.put("/rules/{name}")
async def put_alert_rule(scope: Scoped, name: str, given: RuleSettings) -> RuleOut:
    """Create a rule or replace it."""
    return await alerts.put_rule(scope, name, given.model_dump())


@router.delete("/rules/{name}", status_code=204)
async def delete_alert_rule(scope: Scoped, name: str) -> None:
    """Delete a rule and its incidents."""
    await alerts.delete_rule(scope, name)
