"""What the panel asks about streams: searched, paged and edited in bulk; planned."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select, update

from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.models import Connection, Stream
from etlfabric_dagster.schemas.discovered import BulkChange, StreamFilter
from etlfabric_dagster.schemas.runs import ErrorInfo, RunStatus, StreamResult
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode
from etlfabric_dagster.services import (
    connections,
    discovered,
    edits,
    leases,
    orgs,
    pipelines,
    runs,
    uploads,
)
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import empty_queue

NAMES = ("crm_contacts", "crm_deals", "orders", "refunds")


@pytest.fixture
async def shop(org, interactive_worker) -> str:
    """A pipeline that loads two of the four files its connection offers."""
    slug = org.slug
    async with org_scope(OPERATOR, slug) as scope:
        for name in NAMES:
            await uploads.put(scope, f"{name}.csv", io.BytesIO(b"id,email\n1,a@example.com\n"))
        streams = [{"name": n, "glob": f"{n}.csv", "format": "csv"} for n in NAMES]
        config = {"bucket_url": "uploads://", "streams": streams}
        await connections.create(scope, "files", "filesystem", config, {})
    chosen = {"orders": {"mode": "full"}, "refunds": {"mode": "full"}}
    await pipelines.create(OPERATOR, slug, "shop", connection="files", streams=chosen)
    return slug


async def offered(slug: str, **options):
    async with org_scope(OPERATOR, slug) as scope:
        return await discovered.list_streams(scope, "files", pipeline="shop", **options)


async def plan(slug: str, streams):
    async with org_scope(OPERATOR, slug) as scope:
        return await edits.plan(scope, "shop", streams)


def names(page) -> list[str]:
    return [stream.name for stream in page.items]


async def test_streams_are_searched_filtered_and_counted(shop):
    everything = await offered(shop)
    assert (everything.offered, everything.selected) == (4, 2)
    assert names(await offered(shop, only=StreamFilter(q="CRM"))) == ["crm_contacts", "crm_deals"]
    assert names(await offered(shop, only=StreamFilter(selected=True))) == ["orders", "refunds"]
    assert names(await offered(shop, only=StreamFilter(mode=LoadMode.SCD2))) == []
    found = await offered(shop, only=StreamFilter(q="s", selected=False))
    assert (found.matching, found.offered) == (2, 4)
    assert found.discovered_at is not None


async def test_pages_of_streams_follow_each_other(shop):
    first = await offered(shop, limit=3)
    second = await offered(shop, limit=3, cursor=first.next)
    assert names(first) + names(second) == list(NAMES)
    assert second.next is None


async def test_before_discovery_nothing_is_offered(org):
    async with org_scope(OPERATOR, org.slug) as scope:
        config = {"bucket_url": "uploads://", "streams": [{"name": "a", "glob": "a.csv"}]}
        config["streams"][0]["format"] = "csv"
        await connections.create(scope, "files", "filesystem", config, {})
        page = await discovered.list_streams(scope, "files")
    assert (page.items, page.discovered_at) == ((), None)


async def test_stream_that_the_source_offers_no_more_is_shown_as_gone(shop):
    async with org_scope(OPERATOR, shop) as scope:
        row = await connections.find(scope, "files")
        left = [s for s in row.discovery["streams"] if s["name"] != "orders"]
        await scope.session.execute(update(Connection).values(discovery={"streams": left}))
    page = await offered(shop)
    assert [s.name for s in page.items if s.gone] == ["orders"]


async def test_bulk_edit_selects_by_filter_and_sets_policies(shop):
    change = BulkChange(selected=True, policies={"email": ColumnPolicy.HASH})
    report = await discovered.edit_all(OPERATOR, shop, "shop", StreamFilter(q="crm"), change)
    assert set(report.changed) == {"crm_contacts", "crm_deals"}
    page = await offered(shop)
    assert page.selected == 4
    hashed = {s.name for s in page.items if s.policies.get("email")}
    assert hashed == {"crm_contacts", "crm_deals"}


async def test_bulk_edit_leaves_what_cannot_take_it_and_says_why(shop):
    change = BulkChange(mode=LoadMode.MERGE)
    report = await discovered.edit_all(OPERATOR, shop, "shop", StreamFilter(selected=True), change)
    assert report.changed == ()
    assert "without a primary key" in report.skipped["orders"]
    deselected = BulkChange(selected=False)
    only = StreamFilter(q="refunds")
    await discovered.edit_all(OPERATOR, shop, "shop", only, deselected)
    assert names(await offered(shop, only=StreamFilter(selected=True))) == ["orders"]


async def test_plan_names_what_an_edit_reloads_adds_and_removes(shop):
    async with org_scope(OPERATOR, shop) as scope:
        row = await connections.find(scope, "files")
        streams = [s | {"row_estimate": 1000} for s in row.discovery["streams"]]
        row.discovery = {"streams": streams}
    wanted = {
        "orders": {"mode": "incremental", "cursor": "id"},
        "crm_deals": {"mode": "full"},
    }
    found = await plan(shop, wanted)
    assert {e.name: e.effect for e in found.streams} == {
        "orders": "reloaded",
        "crm_deals": "added",
        "refunds": "removed",
    }
    assert (found.rows, found.unknown_rows, found.unchanged) == (2000, 0, 0)
    assert found.models == ("stg_orders", "stg_refunds")
    same = await plan(shop, {"orders": {"mode": "full"}, "refunds": {"mode": "full"}})
    assert (same.streams, same.unchanged) == ((), 2)
    policy = {"columns": {"email": {"policy": "mask"}}}
    changed = await plan(shop, {"orders": policy, "refunds": {}})
    assert [(e.name, e.effect, e.fields) for e in changed.streams] == [
        ("orders", "changed", ("columns",))
    ]


async def test_plan_refuses_what_the_edit_would_refuse(shop):
    with pytest.raises(InvalidInputError) as refused:
        await plan(shop, {"orders": {"mode": "merge"}})
    assert refused.value.where["field"] == "streams.orders.primary_key"


async def stop_at_column(slug: str, column: str) -> None:
    """A run whose stream stopped at a new column, as a frozen pipeline's does."""
    async with org_scope(OPERATOR, slug) as scope:
        started = await runs.start(scope, "shop")
    claimed = await leases.claim(started.id, "w")
    assert claimed is not None
    where = {"stream": "orders", "table": "orders", "column": column, "type": "text"}
    error = ErrorInfo(message="frozen", code="frozen_schema", where=where)
    result = StreamResult(status="failed", error=error)
    await leases.record(claimed.run_id, claimed.token, {"orders": result})
    await leases.finish(claimed.run_id, claimed.token, RunStatus.FAILED, error)


@pytest.mark.parametrize("accept", [True, False], ids=["accepted", "dropped"])
async def test_column_that_stopped_a_frozen_stream_waits_until_it_is_decided(shop, accept):
    await empty_queue()
    await stop_at_column(shop, "discount_code")
    async with org_scope(OPERATOR, shop) as scope:
        (waiting,) = await edits.pending_columns(scope, "shop")
        assert (waiting.stream, waiting.column, waiting.type) == ("orders", "discount_code", "text")
        row = await scope.session.scalar(select(Stream).where(Stream.name == "orders"))
        assert row is not None
        if accept:
            row.accepted_columns = ["discount_code"]
        else:
            row.columns = {"discount_code": {"policy": "drop"}}
        assert await edits.pending_columns(scope, "shop") == ()


async def test_another_orgs_streams_are_missing(shop, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    with pytest.raises(NotFoundError):
        await offered(other.slug)
    with pytest.raises(NotFoundError):
        await plan(other.slug, {})


async def test_pipeline_that_only_transforms_has_no_streams_to_edit(shop):
    await pipelines.create(OPERATOR, shop, "nightly", models="tag:nightly")
    with pytest.raises(InvalidInputError, match="no connection") as refused:
        await discovered.edit_all(
            OPERATOR, shop, "nightly", StreamFilter(), BulkChange(selected=True)
        )
    assert refused.value.where == {"field": "streams"}
