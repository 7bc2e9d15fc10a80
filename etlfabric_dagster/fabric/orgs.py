"""Orgs of an install."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etlfabric_dagster.erasure import erase_org
from etlfabric_dagster.errors import FabricError, InvalidInputError
from etlfabric_dagster.fabric.base import InOrg, Streams
from etlfabric_dagster.fabric.data import Data
from etlfabric_dagster.fabric.dbt_models import DbtModels
from etlfabric_dagster.fabric.gateway import Gateway, Request, at, sent, whole
from etlfabric_dagster.fabric.insight import Alerts
from etlfabric_dagster.fabric.org_tokens import Tokens
from etlfabric_dagster.fabric.sources import Connections, Pipelines, Uploads
from etlfabric_dagster.fabric.work import Runs, Schedules
from etlfabric_dagster.schemas.data import Lineage
from etlfabric_dagster.schemas.dbt_models import TableResult
from etlfabric_dagster.schemas.fleet import CreateReport, OrgSpec
from etlfabric_dagster.schemas.health import Overview
from etlfabric_dagster.schemas.orgs import BiCredentials, EraseReport, OrgOut
from etlfabric_dagster.schemas.pipelines import PipelineOut
from etlfabric_dagster.schemas.streams import SchemaPolicy
from etlfabric_dagster.schemas.usage import QuotaState, UsageReport
from etlfabric_dagster.services import dbt_models, fleet, lineage, orgs, overview, quotas, usage
from etlfabric_dagster.services.export import ExportReport, export, unpack
from etlfabric_dagster.services.scope import Actor


class Orgs:
    """Orgs of the install."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def create(self, slug: str, *, name: str) -> Org:
        """Create an org with its schemas and roles. Raises ConflictError when the slug is taken.

        >>> example = fabric.orgs.create("example", name="Example Inc.")
        >>> example.info.status.value
        'active'
        """
        made = self._gateway.ask(
            lambda actor: orgs.create(actor, slug, name),
            sent("POST", "/orgs", OrgOut, {"slug": slug, "name": name}),
        )
        return Org(self._gateway, made)

    def create_many(self, specs: Iterable[Mapping[str, Any] | OrgSpec]) -> CreateReport:
        """Create orgs and what they start with. One that fails stops no other; the same list again
        completes what is missing. Raises InvalidInputError for an entry that cannot be one.

        >>> fabric.orgs.create_many([{"slug": "many", "name": "One of many"}]).created
        ('many',)
        """
        wanted = [_spec(spec) for spec in specs]
        body = {"orgs": [_revealed(spec) for spec in wanted]}
        return self._gateway.ask(
            lambda actor: fleet.create_many(actor, wanted),
            sent("POST", "/fleet/orgs", CreateReport, body),
        )

    def get(self, slug: str) -> Org:
        """One org. Raises NotFoundError.

        >>> fabric.orgs.get("demo").info.name
        'Demo shop'
        """
        found = self._gateway.ask(
            lambda actor: orgs.get(actor, slug), sent("GET", f"/orgs/{at(slug)}", OrgOut)
        )
        return Org(self._gateway, found)

    def list(self) -> list[Org]:
        """All orgs by slug.

        >>> [org.slug for org in fabric.orgs.list()]
        [...'demo'...]
        """

        async def here(actor: Actor) -> tuple[OrgOut, ...]:
            found: tuple[OrgOut, ...] = ()
            cursor: str | None = None
            while True:
                page = await orgs.list_orgs(actor, cursor)
                found, cursor = found + page.items, page.next
                if cursor is None:
                    return found

        found = self._gateway.ask(here, whole("/orgs", OrgOut))
        return [Org(self._gateway, one) for one in found]


def _spec(spec: Mapping[str, Any] | OrgSpec) -> OrgSpec:
    try:
        return OrgSpec.model_validate(spec)
    except ValidationError as exc:  # its text quotes the input, secrets included
        first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidInputError(
            f"An org to create: {place}: {first['msg']}.", "Correct it.", field=place
        ) from None


def _revealed(spec: OrgSpec) -> dict[str, Any]:
    told = spec.model_dump(mode="json")
    if spec.connection:
        secrets = spec.connection.secrets.items()
        told["connection"]["secrets"] = {name: value.get_secret_value() for name, value in secrets}
    return told


class Org(InOrg):
    """One org. `info` is how it stood when it was fetched."""

    def __init__(self, gateway: Gateway, info: OrgOut) -> None:
        super().__init__(gateway, info.slug)
        self.info = info
        self.connections = Connections(gateway, info.slug)
        self.pipelines = Pipelines(gateway, info.slug)
        self.runs = Runs(gateway, info.slug)
        self.schedules = Schedules(gateway, info.slug)
        self.dbt_models = DbtModels(gateway, info.slug)
        self.uploads = Uploads(gateway, info.slug)
        self.alerts = Alerts(gateway, info.slug)
        self.data = Data(gateway, info.slug)
        self.tokens = Tokens(gateway, info.slug)

    @property
    def slug(self) -> str:
        """The immutable name."""
        return self._slug

    def register_source(
        self,
        name: str,
        *,
        connector: str,
        config: Mapping[str, Any],
        credentials: Mapping[str, str] | None = None,
        streams: Streams = "all",
        schema_policy: SchemaPolicy | str = SchemaPolicy.EVOLVE,
        table_prefix: str | None = None,
    ) -> PipelineOut:
        """A connection and a pipeline of the same name.

        Raises InvalidInputError, ConflictError, ConnectorError. When the source cannot be
        discovered the connection is removed again.

        >>> spend = {"name": "spend", "glob": "marketing_spend.csv", "format": "csv"}
        >>> config = {"bucket_url": "uploads://", "streams": [spend]}
        >>> demo.register_source("files", connector="filesystem", config=config).streams[0].table
        'files__spend'
        """
        self.connections.create(name, connector=connector, config=config, credentials=credentials)
        try:
            return self.pipelines.create(
                name,
                connection=name,
                streams=streams,
                schema_policy=schema_policy,
                table_prefix=table_prefix,
            )
        except FabricError:
            self.connections.delete(name)
            raise

    def query(self, sql: str, *, limit: int = 1000) -> TableResult:
        """Rows of a query, as the org's read-only login; search path marts, staging, raw.

        >>> demo.query("select count(*) > 1000 from daily_orders").rows
        ((True,),)
        """
        return self._ask(
            lambda actor, slug: dbt_models.query(actor, slug, sql, limit=limit),
            sent("POST", "query", TableResult, {"sql": sql, "limit": limit}),
        )

    def usage(self, date_from: date | None = None, date_to: date | None = None) -> UsageReport:
        """Rows, bytes and seconds by pipeline and day (UTC); 30 days until today by default.

        >>> report = demo.usage()
        >>> report.total.rows == sum(item.rows for item in report.items) > 0
        True
        """
        report = self._usage(date_from, date_to, None)
        while report.next is not None:
            more = self._usage(date_from, date_to, report.next)
            report = more.model_copy(update={"items": report.items + more.items})
        return report

    def overview(self) -> Overview:
        """What fails, what is late, what runs next, and how much was loaded.

        >>> found = demo.overview()
        >>> found.pipelines == found.fine + len(found.failing) + len(found.late)
        True
        """
        return self._scoped(overview.show, sent("GET", "overview", Overview))

    def lineage(
        self, focus: str | None = None, *, depth: int | None = None, columns: bool = False
    ) -> Lineage:
        """What is made of what, from source to mart, or what is around one node.

        >>> [node.id for node in demo.lineage("marts.daily_orders", depth=0).nodes]
        ['marts.daily_orders']
        """
        return self._scoped(
            lambda scope: lineage.graph(scope, focus=focus, depth=depth, columns=columns),
            sent("GET", "lineage", Lineage, focus=focus, depth=depth, columns=columns),
        )

    def _usage(
        self, date_from: date | None, date_to: date | None, cursor: str | None
    ) -> UsageReport:
        days = {"from": date_from and str(date_from), "to": date_to and str(date_to)}
        page: dict[str, Any] = {"cursor": cursor, "limit": usage.MAX_PAGE}
        return self._scoped(
            lambda scope: usage.report(scope, date_from, date_to, **page),
            sent("GET", "usage", UsageReport, **days, **page),
        )

    def set_quota(
        self, *, rows_per_month: int | None = None, storage_bytes: int | None = None
    ) -> QuotaState:
        """Set both limits; None is without limit. Operators only.

        >>> demo.set_quota(rows_per_month=10**12).exceeded
        False
        >>> demo.set_quota().rows_per_month is None
        True
        """
        limits = {"rows_per_month": rows_per_month, "storage_bytes": storage_bytes}
        return self._ask(
            lambda actor, slug: quotas.set_quota(actor, slug, **limits),
            sent("PUT", "usage/quota", QuotaState, limits),
        )

    def bi_credentials(self, *, roll: bool = False) -> BiCredentials:
        """The stable login for BI tools; with `roll` a new password.

        >>> url = demo.bi_credentials(roll=True).url
        >>> url.startswith("postgresql://tenant_")
        True
        """
        there = ("POST", "bi-credentials/roll") if roll else ("GET", "bi-credentials")
        return self._scoped(
            lambda scope: orgs.bi_credentials(scope, roll=roll), sent(*there, BiCredentials)
        )

    def set_limits(
        self, *, max_concurrent_runs: int | None = None, weight: int | None = None
    ) -> Org:
        """Its share of the workers: runs at the same time, and weight among orgs that wait.

        >>> demo.set_limits(max_concurrent_runs=4).info.max_concurrent_runs
        4
        """
        limits = {"max_concurrent_runs": max_concurrent_runs, "weight": weight}
        changed = self._ask(
            lambda actor, slug: orgs.set_limits(actor, slug, **limits),
            sent("PUT", "limits", OrgOut, limits),
        )
        return Org(self._gateway, changed)

    def suspend(self) -> None:
        """Cancel its runs, close its logins, skip its schedules. Data is kept.

        >>> asleep = fabric.orgs.create("asleep", name="Asleep Ltd.")
        >>> asleep.suspend()
        >>> asleep.info.status.value
        'suspended'
        """
        self.info = self._ask(orgs.suspend, sent("POST", "suspend", OrgOut))

    def resume(self) -> None:
        """Open it again.

        >>> awake = fabric.orgs.create("awake", name="Awake Ltd.")
        >>> awake.resume()
        >>> awake.info.status.value
        'active'
        """
        self.info = self._ask(orgs.resume, sent("POST", "resume", OrgOut))

    def export(self, directory: Path | str) -> ExportReport:
        """Write everything as JSON, dbt files and CSV into a new directory.

        >>> report = demo.export(folder / "demo")
        >>> "marts.daily_orders" in report.tables
        True
        """
        target = Path(directory)

        def read(body: bytes) -> ExportReport:
            return unpack(body, target)

        return self._ask(
            lambda actor, slug: export(actor, slug, target), Request("GET", "export", read)
        )

    def erase(self) -> EraseReport:
        """Remove it everywhere, Dagster's records included; reports what was there.

        >>> leaving = fabric.orgs.create("leaving", name="Leaving Ltd.")
        >>> leaving.erase().schemas
        5
        """
        return self._ask(
            lambda actor, slug: asyncio.to_thread(erase_org, actor, slug),
            sent("DELETE", "", EraseReport, confirm=self._slug),
        )
