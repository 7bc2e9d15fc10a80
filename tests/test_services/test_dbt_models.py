"""The dbt project of an org, through the real sandbox: put, refuse, generate, import, read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from etlfabric_dagster.errors import (
    ConflictError,
    EditedMeanwhileError,
    FabricError,
    InvalidInputError,
    NotFoundError,
    TransformError,
)
from etlfabric_dagster.models import DbtManifest, Org, Pipeline, Stream
from etlfabric_dagster.schemas.dbt_models import DbtOrigin
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema
from etlfabric_dagster.services import dbt_editing, dbt_models, orgs
from etlfabric_dagster.services.scope import OPERATOR, org_scope

pytestmark = pytest.mark.usefixtures("interactive_worker")

COLUMNS = (
    ColumnInfo(name="id", type="bigint", nullable=False),
    ColumnInfo(name="amount", type="numeric(12,2)"),
    ColumnInfo(name="_dlt_load_id", type="text"),
    ColumnInfo(name="_dlt_id", type="text"),
)


def table(name: str, stream: str, columns=COLUMNS) -> dict[str, object]:
    schema = TableSchema(
        table=name, stream=stream, primary_key=("id",), mode=LoadMode.MERGE, columns=columns
    )
    return schema.model_dump(mode="json")


async def add_stream(org: OrgOut, stream: str, *, pipeline: str = "shop", columns=COLUMNS) -> None:
    """What a first load of this stream leaves behind."""
    async with org_scope(OPERATOR, org.slug) as scope:
        row = await scope.session.scalar(select(Pipeline).where(Pipeline.name == pipeline))
        if row is None:
            row = Pipeline(name=pipeline, table_prefix=f"{pipeline}__", schema_policy="evolve")
            scope.session.add(row)
            await scope.session.flush()
        name = f"{pipeline}__{stream}"
        scope.session.add(
            Stream(
                pipeline_id=row.id,
                name=stream,
                table_name=name,
                mode="merge",
                tables=[table(name, stream, columns)],
            )
        )


async def paths(org: OrgOut) -> list[str]:
    async with org_scope(OPERATOR, org.slug) as scope:
        return [model.path for model in (await dbt_models.list_models(scope)).items]


async def stored(org: OrgOut) -> tuple[DbtManifest, int]:
    async with org_scope(OPERATOR, org.slug) as scope:
        manifest = await scope.session.scalar(select(DbtManifest))
        assert manifest is not None
        return manifest, (await scope.session.get_one(Org, org.id)).config_version


async def test_put_stores_parses_and_counts_a_change(org: OrgOut) -> None:
    out = await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    assert (out.name, out.kind, out.origin) == ("one", "model", DbtOrigin.TENANT)
    manifest, version = await stored(org)
    assert version > org.config_version
    assert "model.tenant.one" in manifest.manifest["nodes"]
    assert manifest.error is None


async def test_put_that_does_not_compile_stores_nothing(org: OrgOut) -> None:
    await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    before = await stored(org)
    with pytest.raises(TransformError, match="Did you mean “one”"):
        await dbt_models.put(OPERATOR, org.slug, "marts/two.sql", "select * from {{ ref('onee') }}")
    assert await paths(org) == ["marts/one.sql"]
    after = await stored(org)
    assert (after[0].files_digest, after[1]) == (before[0].files_digest, before[1])


async def test_same_content_again_is_no_change(org: OrgOut) -> None:
    await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    _, version = await stored(org)
    await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    assert (await stored(org))[1] == version


async def test_hostile_path_is_refused_before_anything_is_asked(org: OrgOut) -> None:
    for path in ("../a.sql", "dbt_project.yml", "marts/a.py", "/etc/passwd"):
        with pytest.raises(InvalidInputError):
            await dbt_models.put(OPERATOR, org.slug, path, "select 1")
    assert await paths(org) == []


async def test_delete_of_a_model_that_others_need_is_refused(org: OrgOut) -> None:
    await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    await dbt_models.put(OPERATOR, org.slug, "marts/two.sql", "select * from {{ ref('one') }}")
    with pytest.raises(TransformError, match="there is no model “one”"):
        await dbt_models.delete(OPERATOR, org.slug, "marts/one.sql")
    await dbt_models.delete(OPERATOR, org.slug, "marts/two.sql")
    await dbt_models.delete(OPERATOR, org.slug, "marts/one.sql")
    assert await paths(org) == []
    with pytest.raises(NotFoundError):
        await dbt_models.delete(OPERATOR, org.slug, "marts/one.sql")


async def test_streams_get_sources_staging_and_a_selection(org: OrgOut) -> None:
    await add_stream(org, "orders")
    assert await dbt_models.regenerate(OPERATOR, org.slug)
    assert await paths(org) == [
        "staging/_sources.yml",
        "staging/_staging.yml",
        "staging/stg_orders.sql",
    ]
    await dbt_models.put(
        OPERATOR, org.slug, "marts/m.sql", "select id from {{ ref('stg_orders') }}"
    )
    async with org_scope(OPERATOR, org.slug) as scope:
        built = await dbt_models.nodes_of(scope, "shop")
    assert {"model.tenant.stg_orders", "model.tenant.m"} <= set(built)
    assert any(node.startswith("test.tenant.unique_stg_orders_") for node in built)


async def test_regenerating_twice_changes_nothing(org: OrgOut) -> None:
    await add_stream(org, "orders")
    assert await dbt_models.regenerate(OPERATOR, org.slug)
    assert not await dbt_models.regenerate(OPERATOR, org.slug)


async def test_changed_schema_reaches_staging_but_never_a_tenants_edit(org: OrgOut) -> None:
    await add_stream(org, "orders")
    await add_stream(org, "customers")
    await dbt_models.regenerate(OPERATOR, org.slug)
    mine = "select id from {{ source('raw', 'shop__orders') }} -- mine"
    await dbt_models.put(OPERATOR, org.slug, "staging/stg_orders.sql", mine)
    grown = (*COLUMNS, ColumnInfo(name="note", type="text"))
    async with org_scope(OPERATOR, org.slug) as scope:
        for row in await scope.session.scalars(select(Stream)):
            row.tables = [table(row.table_name, row.name, grown)]
    assert await dbt_models.regenerate(OPERATOR, org.slug)
    async with org_scope(OPERATOR, org.slug) as scope:
        edited = await dbt_models.get(scope, "staging/stg_orders.sql")
        generated = await dbt_models.get(scope, "staging/stg_customers.sql")
    assert (edited.content, edited.origin) == (mine, DbtOrigin.TENANT)
    assert '"note"' in (generated.content or "")


async def test_deleting_a_tenants_edit_brings_the_generated_file_back(org: OrgOut) -> None:
    await add_stream(org, "orders")
    await dbt_models.regenerate(OPERATOR, org.slug)
    await dbt_models.put(OPERATOR, org.slug, "staging/stg_orders.sql", "select 1 as id")
    await dbt_models.delete(OPERATOR, org.slug, "staging/stg_orders.sql")
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await dbt_models.get(scope, "staging/stg_orders.sql")).origin == "generated"
    with pytest.raises(ConflictError):
        await dbt_models.delete(OPERATOR, org.slug, "staging/stg_orders.sql")


async def test_stream_that_goes_while_a_model_needs_it_keeps_the_last_good_manifest(
    org: OrgOut,
) -> None:
    await add_stream(org, "orders")
    await dbt_models.regenerate(OPERATOR, org.slug)
    await dbt_models.put(
        OPERATOR, org.slug, "marts/m.sql", "select id from {{ ref('stg_orders') }}"
    )
    good, _ = await stored(org)
    async with org_scope(OPERATOR, org.slug) as scope:
        await scope.session.delete(await scope.session.scalar(select(Stream)))
    await dbt_models.regenerate(OPERATOR, org.slug)
    kept, _ = await stored(org)
    assert kept.manifest == good.manifest
    assert kept.error is not None
    assert "there is no model “stg_orders”" in kept.error["message"]
    assert await paths(org) == ["marts/m.sql"]


async def test_another_orgs_files_are_not_there(org: OrgOut, make_slug) -> None:
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    await dbt_models.put(OPERATOR, org.slug, "marts/mine.sql", "select 1 as id")
    async with org_scope(OPERATOR, other.slug) as scope:
        with pytest.raises(NotFoundError):
            await dbt_models.get(scope, "marts/mine.sql")
    with pytest.raises(TransformError, match="there is no model “mine”"):
        await dbt_models.put(
            OPERATOR, other.slug, "marts/theirs.sql", "select * from {{ ref('mine') }}"
        )


async def test_preview_and_query_answer_rows_read_only(org: OrgOut) -> None:
    await dbt_models.put(OPERATOR, org.slug, "marts/n.sql", "select generate_series(1, 9) as n")
    shown = await dbt_models.preview(OPERATOR, org.slug, "marts/n.sql", limit=2)
    assert (shown.rows, shown.truncated) == (((1,), (2,)), True)
    asked = await dbt_models.query(OPERATOR, org.slug, "select 1.50::numeric as x, null as y")
    assert asked.rows == (("1.50", None),)
    with pytest.raises(FabricError, match="returns no rows"):
        await dbt_models.query(OPERATOR, org.slug, "drop table x")
    with pytest.raises(InvalidInputError):
        await dbt_models.query(OPERATOR, org.slug, "select 1", limit=0)


PROJECT = {
    "dbt_project.yml": b"name: jaffle\non-run-end: ['grant all']\nvars: {start: 2020}\n",
    "packages.yml": b"packages: [{package: dbt-labs/dbt_utils, version: 1.3.0}]\n",
    "README.md": b"# Jaffle\n",
    "models/staging/_sources.yml": (
        b"version: 2\nsources:\n  - name: jaffle\n    database: prod\n    schema: raw\n"
        b"    tables: [{name: orders}, {name: refunds}]\n"
        b"models: [{name: stg_jaffle_orders, columns: [{name: id, data_tests: [unique]}]}]\n"
    ),
    "models/staging/stg_jaffle_orders.sql": b"select * from {{ source('jaffle', 'orders') }}",
    "models/marts/core/revenue.sql": (
        b"{{ config(schema='finance') }} select {{ cents('amount') }} as c"
        b" from {{ ref('stg_jaffle_orders') }}"
    ),
    "models/marts/starred.sql": b"select {{ dbt_date.today() }} as day",
    "models/marts/on_starred.sql": b"select * from {{ ref('starred') }}",
    "models/marts/hooked.sql": b"{{ config(post_hook='grant all') }} select 1 as id",
    "models/marts/varred.sql": b"select {{ var('start') }} as y",
    "models/marts/pandas.py": b"def model(dbt, session): ...",
    "macros/cents.sql": b"{% macro cents(c) %}({{ c }} * 100)::int{% endmacro %}",
    "macros/names.sql": b"{% macro generate_schema_name(a, b) %}{{ a }}{% endmacro %}",
    "seeds/countries.csv": b"code\nde\n",
}


async def test_import_takes_what_works_and_says_why_the_rest_is_left(org: OrgOut) -> None:
    await add_stream(org, "orders")
    await dbt_models.regenerate(OPERATOR, org.slug)
    report = await dbt_models.import_project(OPERATOR, org.slug, PROJECT)
    assert set(report.imported) == {
        "staging/_sources_import.yml",
        "staging/stg_jaffle_orders.sql",
        "marts/core/revenue.sql",
        "marts/varred.sql",
        "macros/cents.sql",
        "project.yml",
        "seeds/countries.csv",
    }
    changed, skipped = "\n".join(report.changed), "\n".join(report.skipped)
    assert "source jaffle.orders is read from raw.shop__orders" in changed
    assert "source jaffle.refunds is not loaded yet" in changed
    assert "schema 'finance' becomes marts" in changed
    for left, why in {
        "models/marts/starred.sql": "dbt_date",
        "models/marts/on_starred.sql": "starred",
        "models/marts/hooked.sql": "hook",
        "models/marts/pandas.py": ".sql",
        "macros/names.sql": "generate_schema_name",
        "packages.yml": "the platform brings dbt_utils",
        "dbt_project.yml": "on-run-end",
        "README.md": "not a folder",
    }.items():
        line = next(line for line in report.skipped if line.startswith(left))
        assert why in line, skipped
    async with org_scope(OPERATOR, org.slug) as scope:
        model = await dbt_models.get(scope, "staging/stg_jaffle_orders.sql")
    assert model.content == "select * from {{ source('raw', 'shop__orders') }}"


async def test_import_of_nothing_usable_is_refused(org: OrgOut) -> None:
    with pytest.raises(InvalidInputError):
        await dbt_models.import_project(OPERATOR, org.slug, {"README.md": b"x"})


async def test_preview_of_a_text_reads_it_and_stores_nothing(org: OrgOut) -> None:
    await dbt_models.put(OPERATOR, org.slug, "marts/one.sql", "select 1 as id")
    shown = await dbt_models.preview(OPERATOR, org.slug, "marts/one.sql", content="select 2 as b")
    assert (shown.columns[0].name, shown.rows) == ("b", ((2,),))
    new = await dbt_models.compiled(
        OPERATOR, org.slug, "marts/new.sql", content="select * from {{ ref('one') }}"
    )
    assert "_marts" in new.compiled_sql
    assert await paths(org) == ["marts/one.sql"]
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await dbt_models.get(scope, "marts/one.sql")).content == "select 1 as id"


async def test_formatting_is_asked_of_the_worker(org: OrgOut) -> None:
    found = await dbt_editing.format_sql(OPERATOR, org.slug, "select a,b from c")
    assert found == "select a, b from c\n"


async def test_save_made_from_an_older_version_is_refused_naming_who_came_first(
    org: OrgOut,
) -> None:
    path = "marts/one.sql"
    opened = await dbt_models.put(
        OPERATOR, org.slug, path, "select 1 as id", expected=dbt_editing.NEW
    )
    version = dbt_editing.version_of(opened)
    theirs = await dbt_models.put(OPERATOR, org.slug, path, "select 2 as id", expected=version)

    with pytest.raises(EditedMeanwhileError, match=f"{OPERATOR.label} saved one after"):
        await dbt_models.put(OPERATOR, org.slug, path, "select 3 as id", expected=version)

    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await dbt_models.get(scope, path)).content == "select 2 as id"
    current = dbt_editing.version_of(theirs)
    await dbt_models.put(OPERATOR, org.slug, path, "select 3 as id", expected=current)


async def test_draft_is_a_version_that_a_save_must_know(org: OrgOut) -> None:
    path = "marts/one.sql"
    good = await dbt_models.put(OPERATOR, org.slug, path, "select 1 as id")
    broken = await dbt_models.put(
        OPERATOR, org.slug, path, "select {{ ref('nothing') }}", draft=True
    )
    assert dbt_editing.text_of(broken) == "select {{ ref('nothing') }}"
    with pytest.raises(EditedMeanwhileError):
        await dbt_models.put(
            OPERATOR, org.slug, path, "select 4", draft=True, expected=dbt_editing.version_of(good)
        )
    with pytest.raises(EditedMeanwhileError):
        await dbt_models.put(OPERATOR, org.slug, path, "select 4", expected=dbt_editing.NEW)


async def test_one_of_two_drafts_from_one_version_is_refused(org: OrgOut) -> None:
    def save(name: str) -> Any:
        text = f"select {{{{ ref('{name}') }}}}"
        new = dbt_editing.NEW
        return dbt_models.put(OPERATOR, org.slug, "marts/one.sql", text, draft=True, expected=new)

    first, second = await asyncio.gather(save("left"), save("right"), return_exceptions=True)

    refused = [one for one in (first, second) if isinstance(one, EditedMeanwhileError)]
    assert len(refused) == 1
