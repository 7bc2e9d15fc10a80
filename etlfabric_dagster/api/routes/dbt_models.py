"""dbt models: the files of an org's dbt project. A path may hold slashes."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from pydantic import Field

from etlfabric_dagster.api import files
from etlfabric_dagster.api.deps import CurrentActor, PageQuery, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.api.waiting import LATER, WaitS
from etlfabric_dagster.schemas.base import Page, Value
from etlfabric_dagster.schemas.dbt_models import (
    CompiledModel,
    DbtModelOut,
    DbtTestOut,
    FormattedSql,
    ImportReport,
    TableResult,
)
from etlfabric_dagster.schemas.runs import RunOut
from etlfabric_dagster.services import archives, dbt_editing, dbt_models, dbt_tests
from etlfabric_dagster.services.scope import require

router = org_router("dbt-models")

MAX_SQL = 1_000_000
Rows = Annotated[int, Query(ge=1, le=1000, description="Rows at most.")]


class DbtModelIn(Value):
    """A file's content: SQL, YAML or CSV. With `draft`, what does not compile is kept beside."""

    content: str
    draft: bool = False
    expected: Annotated[str | None, Field(max_length=100)] = None
    """The `version` it was made from, empty for a file that is not there yet: 412 for another."""


class TextIn(Value):
    """A model as it would be with this text; as it is stored without one."""

    content: str | None = None


class SqlIn(Value):
    """SQL, with or without Jinja."""

    sql: Annotated[str, Field(min_length=1, max_length=MAX_SQL)]


@router.get("")
async def list_dbt_models(scope: Scoped, page: PageQuery) -> Page[DbtModelOut]:
    """Files by path without their content, generated ones included."""
    return await dbt_models.list_models(scope, page.cursor, page.limit)


@router.post("/import", openapi_extra=files.BODY)
async def import_dbt_project(request: Request, actor: CurrentActor, slug: Slug) -> ImportReport:
    """Take an existing dbt project, a zip or tar.gz; what does not fit is left out and said."""
    await require(actor, slug, "dbt_models.import")
    async with files.received(request, archives.MAX_ARCHIVE_BYTES) as content:
        found = await asyncio.to_thread(archives.read_project, content)
    return await dbt_models.import_project(actor, slug, found)


@router.post("/format", responses=LATER)
async def format_sql(
    actor: CurrentActor, slug: Slug, given: SqlIn, wait_s: WaitS = 30
) -> FormattedSql:
    """SQL in one style; Jinja is left as it is."""
    return FormattedSql(sql=await dbt_editing.format_sql(actor, slug, given.sql, wait_s=wait_s))


@router.get("/{path:path}/compiled", responses=LATER)
async def compile_dbt_model(
    actor: CurrentActor, slug: Slug, path: str, wait_s: WaitS = 30
) -> CompiledModel:
    """Its SQL as the database gets it, compiled now."""
    return await dbt_models.compiled(actor, slug, path, wait_s=wait_s)


@router.post("/{path:path}/compiled", responses=LATER)
async def compile_dbt_text(
    actor: CurrentActor, slug: Slug, path: str, given: TextIn, wait_s: WaitS = 30
) -> CompiledModel:
    """The same of a text that is not saved."""
    return await dbt_models.compiled(actor, slug, path, content=given.content, wait_s=wait_s)


@router.post("/{path:path}/preview", responses=LATER)
async def preview_dbt_model(
    actor: CurrentActor,
    slug: Slug,
    path: str,
    given: TextIn | None = None,
    limit: Rows = 20,
    wait_s: WaitS = 30,
) -> TableResult:
    """Its first rows, or those of a text that is not saved, run read-only; nothing is written."""
    content = given.content if given else None
    return await dbt_models.preview(actor, slug, path, limit=limit, content=content, wait_s=wait_s)


@router.get("/{path:path}/tests")
async def list_dbt_tests(scope: Scoped, path: str) -> Page[DbtTestOut]:
    """Its dbt tests and how they last ended."""
    return await dbt_tests.list_tests(scope, path)


@router.post("/{path:path}/tests", status_code=201)
async def run_dbt_tests(scope: Scoped, path: str) -> RunOut:
    """Queue a run of its dbt tests and nothing else."""
    return await dbt_tests.run(scope, path)


@router.get("/{path:path}/tests/{test}/rows", responses=LATER)
async def get_failing_rows(
    actor: CurrentActor, slug: Slug, path: str, test: str, limit: Rows = 100, wait_s: WaitS = 30
) -> TableResult:
    """Rows that one of its tests finds now, by the test's `unique_id`; nothing is written."""
    return await dbt_tests.failing_rows(actor, slug, path, test, limit=limit, wait_s=wait_s)


@router.get("/{path:path}")
async def get_dbt_model(scope: Scoped, path: str) -> DbtModelOut:
    """One file with its content."""
    return await dbt_models.get(scope, path)


@router.put("/{path:path}")
async def put_dbt_model(
    actor: CurrentActor, slug: Slug, path: str, given: DbtModelIn
) -> DbtModelOut:
    """Store a file; the project is parsed with it first, and nothing is stored if that fails."""
    return await dbt_models.put(
        actor, slug, path, given.content, draft=given.draft, expected=given.expected
    )


@router.delete("/{path:path}", status_code=204)
async def delete_dbt_model(actor: CurrentActor, slug: Slug, path: str) -> None:
    """Delete a file; its table stays. Refused while others refer to it."""
    await dbt_models.delete(actor, slug, path)
