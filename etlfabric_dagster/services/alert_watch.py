"""What alert rules make of verdicts and of silence.

A verdict is looked at once (`runs.alerted_at`), whatever happens to its doorbell: `ring_stale`
rings again for what was never looked at, and for messages that are due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import (
    AlertDelivery,
    AlertIncident,
    AlertRule,
    Org,
    Pipeline,
    Run,
)
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.alerts import (
    AlertKind,
    DeliveryStatus,
)
from etlfabric_dagster.schemas.health import PipelineHealth
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import alert_texts, incidents, pipeline_health
from etlfabric_dagster.services.leases import EVALUATE

STALE_RING_S = 5.0
RING_LIMIT = 500


async def evaluate_run(run_id: UUID) -> int:
    """Hold a verdict against the org's rules, once. Returns how many messages were queued.

    Safe to run twice, at once and out of order: an older failure does not undo a newer success.
    """
    async with get_session() as session:
        run = await session.scalar(
            select(Run)
            .where(
                Run.id == run_id,
                Run.alerted_at.is_(None),
                Run.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED)),
            )
            .with_for_update(skip_locked=True)
        )
        if run is None:
            return 0
        run.alerted_at = clock.now()
        rules = [
            rule
            for rule in await _rules(session, run.org_id)
            if rule.pipelines is None or run.pipeline_name in rule.pipelines
        ]
        if not rules:
            return 0
        return await _judge(session, run, rules)


async def watch_staleness() -> int:
    """Open and close incidents of pipelines that are late. Returns messages queued.

    Any number of schedulers may do so: an open incident exists once.
    """
    async with get_session() as session:
        watching = (
            select(AlertRule.org_id)
            .join(Org)
            .where(
                AlertRule.enabled,
                AlertRule.kinds.contains([AlertKind.STALENESS]),
                Org.status == OrgStatus.ACTIVE,
            )
        )
        org_ids = list(await session.scalars(watching.distinct()))
    return sum([await _watch_org(org_id) for org_id in org_ids])


async def ring_stale() -> int:
    """Ring for verdicts nobody looked at and for messages that are due: doorbells may be lost."""
    limit = clock.now() - timedelta(seconds=STALE_RING_S)
    unseen = (
        select(Run.id)
        .where(
            Run.alerted_at.is_(None),
            Run.status.in_((RunStatus.SUCCEEDED, RunStatus.FAILED)),
            Run.finished_at < limit,
        )
        .limit(RING_LIMIT)
    )
    due = (
        select(AlertDelivery.id)
        .where(AlertDelivery.status == DeliveryStatus.QUEUED, AlertDelivery.next_attempt_at < limit)
        .order_by(AlertDelivery.next_attempt_at)
        .limit(RING_LIMIT)
    )
    rung = 0
    async with get_session() as session:
        for task, query in ((EVALUATE, unseen), (incidents.SEND, due)):
            for found in await session.scalars(query):
                ring_after_commit(session, task, str(found), queue=INTERACTIVE)
                rung += 1
    return rung


async def _judge(session: AsyncSession, run: Run, rules: Sequence[AlertRule]) -> int:
    at = run.finished_at or clock.now()
    if run.status == RunStatus.FAILED:
        told = 0 if await _was_overtaken(session, run, at) else await _fail(session, run, rules, at)
    else:
        told = await incidents.recover(session, rules, run.pipeline_id, incidents.LASTING, at)
    changes = _schema_changes(run)
    if changes and await _has_loaded_before(session, run):
        text = alert_texts.schema_text(changes)
        for rule in rules:
            if AlertKind.SCHEMA_CHANGE in rule.kinds and await _is_news(session, rule, run, text):
                told += await incidents.open_incident(
                    session,
                    rule,
                    AlertKind.SCHEMA_CHANGE,
                    run.pipeline_id,
                    run.pipeline_name,
                    at,
                    text,
                    "See the pipeline's changes.",
                    run.id,
                )
    return told


def _schema_changes(run: Run) -> list[dict[str, Any]]:
    """What the run took or left out, and the column at which a frozen stream stopped."""
    found = [c for s in run.streams.values() for c in s.get("schema_changes", ())]
    for result in run.streams.values():
        error = result.get("error") or {}
        if error.get("code") == "frozen_schema":
            where = error["where"]
            refused = {"change": "added", "decision": "refused", "new_type": where.get("type")}
            found.append(refused | where)
    return found


async def _is_news(session: AsyncSession, rule: AlertRule, run: Run, text: str) -> bool:
    """A column that is left out, or stopped at, is found again by every run: told once."""
    last = await session.scalar(
        select(AlertIncident.message)
        .where(
            AlertIncident.rule_id == rule.id,
            AlertIncident.kind == AlertKind.SCHEMA_CHANGE,
            AlertIncident.pipeline_id == run.pipeline_id,
        )
        .order_by(AlertIncident.opened_at.desc())
        .limit(1)
    )
    return last != text


async def _fail(session: AsyncSession, run: Run, rules: Sequence[AlertRule], at: datetime) -> int:
    error = run.error or {}
    told = 0
    for rule in rules:
        if {AlertKind.FAILURE, AlertKind.RECOVERY}.intersection(rule.kinds):
            told += await incidents.open_incident(
                session,
                rule,
                AlertKind.FAILURE,
                run.pipeline_id,
                run.pipeline_name,
                at,
                error.get("message", "The run failed."),
                error.get("remedy", ""),
                run.id,
            )
    return told


async def _watch_org(org_id: UUID) -> int:
    async with get_session(org_id=org_id) as session:
        rules = [
            rule for rule in await _rules(session, org_id) if AlertKind.STALENESS in rule.kinds
        ]
        pipelines = list(await session.scalars(select(Pipeline).where(~Pipeline.paused)))
        states = await pipeline_health.of(session, [row.id for row in pipelines])
        now, told = clock.now(), 0
        for rule in rules:
            for row in pipelines:
                if rule.pipelines is not None and row.name not in rule.pipelines:
                    continue
                reason = _stale_because(rule, states[row.id], now)
                told += (
                    await incidents.open_incident(
                        session,
                        rule,
                        AlertKind.STALENESS,
                        row.id,
                        row.name,
                        now,
                        reason,
                        "See its last runs, and whether its schedule still fits.",
                        None,
                    )
                    if reason
                    else await incidents.recover(
                        session, [rule], row.id, [AlertKind.STALENESS], now
                    )
                )
        return told


def _stale_because(rule: AlertRule, state: PipelineHealth, now: datetime) -> str | None:
    """Why the pipeline is stale by this rule; None when it is not."""
    since = state.fresh_at or state.first_run_at
    if rule.stale_after_s is None:
        late_since = f"{state.late_since:%Y-%m-%d %H:%M} UTC" if state.late_since else ""
        return f"It is late against its schedule since {late_since}." if late_since else None
    if since is None or now - since <= timedelta(seconds=rule.stale_after_s):
        return None
    return (
        f"Its last good run ended more than {_span(rule.stale_after_s)} ago,"
        f" at {since:%Y-%m-%d %H:%M} UTC."
        if state.fresh_at
        else f"It has had no good run since {since:%Y-%m-%d %H:%M} UTC."
    )


def _span(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h {rest // 60:02d} min" if hours else f"{rest // 60} min"


async def _rules(session: AsyncSession, org_id: UUID) -> list[AlertRule]:
    query = (
        select(AlertRule)
        .join(Org)
        .where(AlertRule.org_id == org_id, AlertRule.enabled, Org.status == OrgStatus.ACTIVE)
        .order_by(AlertRule.name)
    )
    return list(await session.scalars(query))


async def _was_overtaken(session: AsyncSession, run: Run, at: datetime) -> bool:
    later = _successes(run).where(Run.finished_at > at)
    return await session.scalar(later) is not None


async def _has_loaded_before(session: AsyncSession, run: Run) -> bool:
    """A first load adds every table: no news."""
    earlier = _successes(run).where(Run.created_at < run.created_at)
    return await session.scalar(earlier) is not None


def _successes(run: Run) -> Select[tuple[UUID]]:
    return (
        select(Run.id)
        .where(Run.pipeline_id == run.pipeline_id, Run.status == RunStatus.SUCCEEDED)
        .limit(1)
    )
