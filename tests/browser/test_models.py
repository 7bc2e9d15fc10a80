"""dbt models, lineage and data, in a browser, on tables that dbt really built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from etlfabric_dagster import aio
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Connection, Pipeline, Stream
from etlfabric_dagster.schemas.jobs import TransformJob, Warehouse
from etlfabric_dagster.schemas.runs import NodeResult, RunStatus, StreamResult
from etlfabric_dagster.schemas.streams import ColumnInfo, TableSchema
from etlfabric_dagster.services import dbt_models, leases, orgs, runs, sandbox, tenants
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.browser.conftest import Member, Panel, Witness, add_member, sign_in
from tests.test_services.ended_runs import empty_queue

DAILY = """select customer, sum(amount) as revenue
from {{ ref('stg_orders') }}
group by 1
"""
COLUMNS = (
    *(ColumnInfo(name="id", type="bigint"), ColumnInfo(name="customer", type="text")),
    *(ColumnInfo(name="amount", type="numeric(12,2)"), ColumnInfo(name="note", type="text")),
    *(ColumnInfo(name="extra", type="jsonb"), ColumnInfo(name="_dlt_id", type="text")),
)


@dataclass(frozen=True)
class Shop:
    """An org with a loaded stream and built dbt models."""

    slug: str
    owner: Member
    viewer: Member


@pytest.fixture(scope="module")
def shop(migrated: object, interactive_worker: None) -> Shop:
    slug = f"m_{uuid4().hex[:8]}"
    aio.run(_make(slug))
    return Shop(slug, add_member("owner", slug), add_member("viewer", slug))


async def _make(slug: str) -> None:
    org = await orgs.create(OPERATOR, slug, "Models Inc.")
    table = TableSchema(table="shop__orders", stream="orders", columns=COLUMNS)
    async with org_scope(OPERATOR, slug) as scope:
        source = Connection(name="shop", connector="rest_api", config={}, secret_names=[])
        scope.session.add(source)
        await scope.session.flush()
        pipeline = Pipeline(
            name="shop", connection_id=source.id, table_prefix="shop__", schema_policy="evolve"
        )
        scope.session.add(pipeline)
        await scope.session.flush()
        scope.session.add(
            Stream(
                pipeline_id=pipeline.id,
                name="orders",
                table_name="shop__orders",
                mode="full",
                tables=[table.model_dump(mode="json")],
            )
        )
        pipeline_id = pipeline.id
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
        password = await tenants.rotate_pipeline_login(session, org.id, pipeline_id)
    login = tenants.pipeline_login(org.id, pipeline_id)
    await _build(slug, tenants.warehouse(org.id, login, password))


async def _build(slug: str, warehouse: Warehouse) -> None:
    with _connected(warehouse) as conn:
        conn.execute(
            f"""CREATE TABLE "{warehouse.raw}".shop__orders AS
            SELECT g::bigint AS id, 'customer ' || g % 7 AS customer,
                CASE WHEN g % 5 = 0 THEN NULL ELSE (g * 1.5)::numeric(12,2) END AS amount,
                CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE repeat('long ', 100) END AS note,
                jsonb_build_object('n', g) AS extra, 'x' || g AS _dlt_id
            FROM generate_series(1, 250) g"""
        )
        conn.execute(f'ANALYZE "{warehouse.raw}".shop__orders')
    await dbt_models.regenerate(OPERATOR, slug)
    await dbt_models.put(OPERATOR, slug, "marts/daily_orders.sql", DAILY)
    await dbt_models.put(
        OPERATOR,
        slug,
        "marts/daily_orders.yml",
        "models: [{name: daily_orders, columns: [{name: revenue, data_tests:"
        " [{accepted_values: {arguments: {values: [1]}}}]}]}]",
    )
    async with org_scope(OPERATOR, slug) as scope:
        project, packed = await dbt_models.build_input(scope)
    await sandbox.run(TransformJob(project=project, packed=packed, warehouse=warehouse))
    await empty_queue()
    async with org_scope(OPERATOR, slug) as scope:
        started = await runs.start(scope, "shop")
    claimed = await leases.claim(started.id, "w")
    assert claimed is not None
    results = {
        "stg_orders": NodeResult(status="success"),
        "daily_orders": NodeResult(status="error", message="division by zero"),
    }
    loaded = {"orders": StreamResult(rows=250)}
    await leases.record(claimed.run_id, claimed.token, loaded, results)
    await leases.finish(claimed.run_id, claimed.token, RunStatus.SUCCEEDED, None)


def _connected(warehouse: Warehouse) -> psycopg.Connection:
    return psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
        autocommit=True,
    )


@pytest.fixture(scope="module")
def signed_in(panel: Panel, chromium: Browser, shop: Shop) -> Iterator[Page]:
    """The owner's window, shared by this module's tests: signing in takes a second."""
    context = chromium.new_context(base_url=panel.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    sign_in(page, shop.owner)
    yield page
    context.close()


@pytest.fixture
def window(signed_in: Page, panel: Panel) -> Iterator[Page]:
    """The owner's window; complaints of the browser fail the test."""
    found = Witness((panel.url, panel.api, panel.api.replace("http", "ws")))
    signed_in.set_viewport_size({"width": 1280, "height": 900})
    signed_in.emulate_media(color_scheme="light")
    found.watch(signed_in)
    yield signed_in
    for event in ("console", "pageerror", "requestfailed", "request"):
        for listener in list(signed_in.listeners(event)) if hasattr(signed_in, "listeners") else []:
            signed_in.remove_listener(event, listener)
    assert found.complaints == []
