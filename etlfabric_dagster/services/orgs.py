"""Orgs: create, list, edit, suspend, resume. Creating is idempotent and resumable."""

from __future__ import annotations

import secrets
from importlib import import_module
from uuid import UUID, uuid4

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError, PermissionDeniedError
from etlfabric_dagster.models import Membership, Org, OrgTurn, Run, Schedule
from etlfabric_dagster.queue import INTERACTIVE, ring_after_commit
from etlfabric_dagster.schemas.base import Page, Slug
from etlfabric_dagster.schemas.orgs import BiCredentials, OrgOut, OrgStatus
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.security import scram
from etlfabric_dagster.services import audit, clockwork, tenants
from etlfabric_dagster.services.scope import (
    Actor,
    OrgScope,
    find_org,
    require_operator,
    require_own_password,
)
from etlfabric_dagster.services.vault import vault

PAGE = 100
MAX_NAME = 80
MAX_LIMIT = 1000
MAX_OWNED = 5  # by one person who signed up; an operator creates any number
_slug = TypeAdapter(Slug)


async def create(actor: Actor, slug: str, name: str) -> OrgOut:
    """Create an org and its data plane.

    Idempotent for an org whose provisioning was interrupted: the same call finishes it.

    Raises:
        ConflictError: the slug is taken.
    """
    await _may_create(actor)
    check_slug(slug)
    name = checked_name(name)
    async with get_session() as session:
        org = await _claim_slug(session, slug, name)
        org_id = org.id
        password = vault().open(org_id, org_id, org.sealed)["readonly_password"]
    async with get_session() as session:
        await tenants.provision(session, org_id, password)
        # Alembic takes 0.15 s to import: only who creates an org pays for it.
        migrations = import_module("etlfabric_dagster.services.migrations")
        revision: str = await migrations.stamp_tenant(session, org_id)
        org = await session.get_one(Org, org_id)
        org.status, org.tenant_revision = OrgStatus.ACTIVE, revision
        await session.flush()
        await session.refresh(org)
        await _make_owner(session, actor, org_id)
        await audit.write(
            session, actor, "orgs.create", f"orgs/{slug}", org_id=org_id, after=to_out(org)
        )
        _publish(session, org_id)
        return to_out(org)


async def list_orgs(actor: Actor, cursor: str | None = None, limit: int = PAGE) -> Page[OrgOut]:
    """The orgs that the actor may see, by slug, one page; an operator sees all."""
    require_own_password(actor)
    query = select(Org).where(Org.slug > (cursor or "")).order_by(Org.slug).limit(limit + 1)
    if not actor.is_operator:
        theirs = Membership.user_id == actor.user_id
        query = query.join(Membership, Membership.org_id == Org.id).where(theirs)
        query = query.where(Org.status != OrgStatus.ERASING)
    if actor.limits and actor.limits.org_id:
        query = query.where(Org.id == actor.limits.org_id)
    async with get_session() as session:
        rows = list(await session.scalars(query))
    more = rows[limit - 1].slug if len(rows) > limit else None
    return Page(items=tuple(to_out(row) for row in rows[:limit]), next=more)


async def get(actor: Actor, slug: str) -> OrgOut:
    """One org. Raises NotFoundError."""
    async with get_session() as session:
        return to_out(await find_org(session, actor, slug))


async def set_limits(
    actor: Actor, slug: str, *, max_concurrent_runs: int | None = None, weight: int | None = None
) -> OrgOut:
    """Change the org's share of the workers; None leaves a limit as it is.

    Raises InvalidInputError, and PermissionDeniedError for all but operators.
    """
    require_operator(actor, "change what orgs may use")
    wanted = {"max_concurrent_runs": max_concurrent_runs, "weight": weight}
    given = {name: value for name, value in wanted.items() if value is not None}
    for name, value in given.items():
        _check_limit(name, value)
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        before = to_out(org)
        for name, value in given.items():
            setattr(org, name, value)
        await session.flush()
        await session.refresh(org)
        told = {"org_id": org.id, "before": before, "after": to_out(org)}
        await audit.write(session, actor, "orgs.update", f"orgs/{slug}", **told)
        return to_out(org)


def _check_limit(name: str, value: int) -> None:
    if not 1 <= value <= MAX_LIMIT:
        raise InvalidInputError(
            f"{name} {value} is not between 1 and {MAX_LIMIT}.",
            "Suspend an org that is not to run at all: etlfabric orgs suspend",
            field=name,
        )


async def suspend(actor: Actor, slug: str) -> OrgOut:
    """Cancel its runs, close its logins, skip its schedules. Data is kept. Idempotent."""
    return await _set_status(actor, slug, OrgStatus.SUSPENDED)


async def resume(actor: Actor, slug: str) -> OrgOut:
    """Open it again; schedules go on without catching up. Idempotent."""
    return await _set_status(actor, slug, OrgStatus.ACTIVE)


async def edit(scope: OrgScope, *, name: str | None = None, timezone: str | None = None) -> OrgOut:
    """Change the name that people see and the zone they read times in; the slug stays.

    None leaves one as it is. Raises InvalidInputError.
    """
    scope.require("orgs.update")
    org = await scope.session.get_one(Org, scope.org_id)
    before = to_out(org)
    if name is not None:
        org.name = checked_name(name)
    if timezone is not None:
        clockwork.check_timezone(timezone)
        org.timezone = timezone
    await scope.session.flush()
    await scope.session.refresh(org)
    await audit.record(scope, "orgs.update", f"orgs/{scope.slug}", before=before, after=to_out(org))
    return to_out(org)


async def bi_credentials(scope: OrgScope, *, roll: bool = False) -> BiCredentials:
    """Where BI tools connect; with `roll` a new password, shown this once."""
    scope.require("bi.roll" if roll else "bi.read")
    password = await tenants.roll_bi_password(scope.session, scope.org_id) if roll else None
    if roll:
        await audit.record(scope, "bi.roll", "bi-credentials")
    url = settings.database.set(
        username=tenants.bi_login(scope.org_id),
        password=password,
        host=settings.bi_host or settings.database.host,
    )
    return BiCredentials(
        host=url.host or "",
        port=url.port or 5432,
        database=url.database or "",
        username=url.username or "",
        password=password,
        db_schema=f"tenant_{scope.org_id.hex}_marts",
        url=url.render_as_string(hide_password=False),
    )


def to_out(org: Org) -> OrgOut:
    """The row as a value."""
    return OrgOut.model_validate(org, from_attributes=True, extra="ignore")


async def _claim_slug(session: AsyncSession, slug: str, name: str) -> Org:
    """Insert the row, or find the one whose provisioning did not end."""
    org_id = uuid4()
    org_secrets = {
        "hash_key": secrets.token_hex(32),
        "readonly_password": scram.new_password(),
    }
    await session.execute(
        insert(Org)
        .values(
            id=org_id,
            slug=slug,
            name=name,
            status=OrgStatus.PROVISIONING,
            max_concurrent_runs=settings.default_max_concurrent_runs,
            sealed=vault().seal(org_id, org_id, org_secrets),
        )
        .on_conflict_do_nothing(index_elements=["slug"])
    )
    org = (await session.scalars(select(Org).where(Org.slug == slug))).one()
    await session.execute(insert(OrgTurn).values(org_id=org.id).on_conflict_do_nothing())
    if org.id != org_id and org.status != OrgStatus.PROVISIONING:
        raise ConflictError(f"The slug '{slug}' is taken.", "Choose another slug.", org=slug)
    return org


async def _set_status(actor: Actor, slug: str, status: OrgStatus) -> OrgOut:
    require_operator(actor, "suspend or resume orgs")
    async with get_session() as session:
        org = await find_org(session, actor, slug)
        if org.status not in (OrgStatus.ACTIVE, OrgStatus.SUSPENDED):
            raise ConflictError(f"Org '{slug}' is {org.status}.", "Wait until that has ended.")
        before, org.status = to_out(org), status
        suspended = status is OrgStatus.SUSPENDED
        if suspended:
            await cancel_runs(session, org.id)
        else:  # without catch-up: the poller computes the next fire time from now
            await session.execute(
                update(Schedule).where(Schedule.org_id == org.id).values(next_fire_at=None)
            )
        await tenants.set_logins(session, org.id, enabled=not suspended)
        await session.flush()
        await session.refresh(org)
        if before.status != org.status:
            await audit.write(
                session,
                actor,
                "orgs.suspend" if suspended else "orgs.resume",
                f"orgs/{slug}",
                org_id=org.id,
                before=before,
                after=to_out(org),
            )
        return to_out(org)


async def _may_create(actor: Actor) -> None:
    """Raises PermissionDeniedError unless sign-up is open and the person owns few orgs so far."""
    if actor.is_operator:
        require_own_password(actor)
        return
    if not settings.signup or actor.user_id is None or actor.limits is not None:
        require_operator(actor, "create orgs")
    require_own_password(actor)
    owned = select(func.count()).where(
        Membership.user_id == actor.user_id, Membership.role == Role.OWNER
    )
    async with get_session() as session:
        if (await session.scalar(owned) or 0) >= MAX_OWNED:
            raise PermissionDeniedError(
                f"You own {MAX_OWNED} orgs; that is the limit.",
                "Ask the operator of this install for another.",
                code="too_many_orgs",
            )


async def _make_owner(session: AsyncSession, actor: Actor, org_id: UUID) -> None:
    """Who creates an org owns it; an operator without an account just made it."""
    if actor.user_id is not None:
        row = {"id": uuid4(), "org_id": org_id, "user_id": actor.user_id, "role": Role.OWNER}
        await session.execute(insert(Membership).values(**row).on_conflict_do_nothing())


async def cancel_runs(session: AsyncSession, org_id: UUID) -> None:
    """Queued runs of the org end now, running ones are asked to."""
    open_runs = update(Run).where(Run.org_id == org_id)
    moment = func.clock_timestamp()
    await session.execute(
        open_runs.where(Run.status == "queued").values(
            status="canceled", cancel_requested_at=moment, finished_at=moment
        )
    )
    await session.execute(
        open_runs.where(Run.status == "running").values(cancel_requested_at=moment)
    )


def _publish(session: AsyncSession, org_id: UUID) -> None:
    ring_after_commit(session, "etlfabric.publish_org", str(org_id), queue=INTERACTIVE)


def checked_name(name: str) -> str:
    """1 to 80 visible characters, trimmed. Raises InvalidInputError."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInputError(
            "That cannot name an org.", f"Use 1 to {MAX_NAME} visible characters.", field="name"
        )
    return name


def check_slug(slug: str) -> None:
    """Raises InvalidInputError unless it can name an org."""
    try:
        _slug.validate_python(slug)
    except ValidationError as exc:
        raise InvalidInputError(
            f"'{slug[:60]}' cannot be a slug.",
            "Use 2 to 40 lower-case letters, digits and underscores, a letter first.",
            field="slug",
        ) from exc
