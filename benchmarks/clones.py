"""Many orgs like one: configured through the services once, then copied row by row, because
parsing the same dbt project a thousand times measures dbt.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import inspect, select

from benchmarks.tenants import PIPELINE, Source
from etlfabric_dagster.aio import run
from etlfabric_dagster.models import Connection, DbtManifest, DbtModel, Pipeline, Stream
from etlfabric_dagster.services import orgs, schedules, tenants
from etlfabric_dagster.services.scope import OPERATOR, OrgScope, org_scope
from etlfabric_dagster.services.vault import vault

YEARLY = "0 0 1 1 *"
AT_ONCE = 4
COPIED = (Connection, Pipeline, Stream, DbtModel, DbtManifest)


@dataclass(frozen=True)
class Template:
    """The configuration rows of an org, as they are stored."""

    org_id: UUID
    rows: list[tuple[type[Any], dict[str, Any]]]
    secrets: dict[str, str]

    @classmethod
    def read(cls, slug: str, source: Source) -> Template:
        """Take the org's rows. Blocking."""
        return run(cls._read(slug, source))

    @classmethod
    async def _read(cls, slug: str, source: Source) -> Template:
        async with org_scope(OPERATOR, slug) as scope:
            rows = [
                (model, _values(row))
                for model in COPIED
                for row in await scope.session.scalars(select(model))
            ]
            return cls(scope.org_id, rows, source.secrets)

    def copy(self, slugs: Sequence[str], done: Callable[[], None] = lambda: None) -> None:
        """Create orgs with these rows and a yearly schedule; they are published as any other."""
        run(self._copy_all(slugs, done))

    async def _copy_all(self, slugs: Sequence[str], done: Callable[[], None]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(slug: str) -> None:
            async with room:
                await self._copy(slug)
                done()

        await asyncio.gather(*map(one, slugs))

    async def _copy(self, slug: str) -> None:
        await orgs.create(OPERATOR, slug, slug.title())
        async with org_scope(OPERATOR, slug) as scope:
            ids: dict[str, str] = {self.org_id.hex: scope.org_id.hex}
            for model, values in self.rows:
                await self._add(scope, model, values, ids)
            await schedules.set_schedule(scope, PIPELINE, cron=YEARLY)
            await scope.touch_config()

    async def _add(
        self, scope: OrgScope, model: type[Any], values: dict[str, Any], ids: dict[str, str]
    ) -> None:
        fresh = uuid4()
        ids[str(values["id"])] = str(fresh)
        copied = {name: _renamed(value, ids) for name, value in values.items()}
        if model is Connection:
            copied["sealed"] = vault().seal(scope.org_id, fresh, self.secrets)
        if model is DbtManifest:
            copied["packed"] = ""  # of the other org's schemas: the first build parses anew
        scope.session.add(model(**copied))
        await scope.session.flush()
        if model is Pipeline:
            await tenants.add_pipeline_login(scope.session, scope.org_id, fresh)


@contextmanager
def counted(bar: Any, what: str, total: int) -> Iterator[Callable[[], None]]:
    """A line of a progress display."""
    task = bar.add_task(what, total=total)
    yield lambda: bar.advance(task)


def _values(row: Any) -> dict[str, Any]:
    stamps = {"created_at", "updated_at"}
    columns = [column.key for column in inspect(type(row)).column_attrs]
    return {name: getattr(row, name) for name in columns if name not in stamps}


def _renamed(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, UUID):
        return UUID(ids.get(str(value), str(value)))
    if isinstance(value, dict | list):
        text = json.dumps(value)
        for old, new in ids.items():
            text = text.replace(old, new)
        return json.loads(text)
    return value
