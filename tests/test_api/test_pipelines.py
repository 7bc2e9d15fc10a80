"""Pipelines, streams and schedules over HTTP."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from sqlalchemy import select

from etlfabric_dagster import clock
from etlfabric_dagster.models import Pipeline, SchemaChangeRow
from etlfabric_dagster.services.scope import OPERATOR, org_scope


@pytest.fixture
async def extra(desk, make_slug) -> str:
    """A second pipeline over the same connection, with tables of its own."""
    name = make_slug().replace("org", "pipe")
    body = {"name": name, "connection": "shop", "table_prefix": f"{name}_"}
    made = await desk("POST", "pipelines", json=body)
    assert made.status_code == 201, made.text
    return name


async def test_pipeline_shows_its_streams_and_lists_lean(desk):
    shown = (await desk("GET", "pipelines/shop")).json()
    assert [(s["name"], s["mode"]) for s in shown["streams"]] == [("orders", "incremental")]
    listed = (await desk("GET", "pipelines")).json()["items"]
    (shop,) = [one for one in listed if one["name"] == "shop"]
    assert shop == shown | {"streams": []}


async def test_pipeline_is_edited_paused_resumed_and_deleted(desk, extra):
    edited = await desk("PATCH", f"pipelines/{extra}", json={"schema_policy": "freeze"})
    assert edited.json()["schema_policy"] == "freeze"
    assert (await desk("POST", f"pipelines/{extra}/pause")).json()["paused"] is True
    assert (await desk("POST", f"pipelines/{extra}/resume")).json()["paused"] is False
    assert (await desk("DELETE", f"pipelines/{extra}")).status_code == 204
    assert (await desk("GET", f"pipelines/{extra}")).status_code == 404


async def test_null_models_build_what_is_downstream_again(desk):
    made = await desk("POST", "pipelines", json={"name": "only_sql", "models": "stg_orders"})
    assert made.status_code == 201, made.text
    kept = await desk("PATCH", "pipelines/only_sql", json={"schema_policy": "evolve"})
    assert kept.json()["models"] == "stg_orders"
    cleared = await desk("PATCH", "pipelines/only_sql", json={"models": None})
    assert cleared.json()["models"] is None


async def test_one_stream_is_set_and_deselected(desk, extra):
    path = f"pipelines/{extra}/streams/orders"
    settings = {"mode": "full", "columns": {"updated_at": {"policy": "drop"}}}
    made = await desk("PUT", path, json=settings)
    assert (made.status_code, made.json()["mode"]) == (200, "full"), made.text
    assert made.json()["columns"] == {"updated_at": {"policy": "drop"}}
    assert (await desk("DELETE", path)).status_code == 204
    (stream,) = (await desk("GET", f"pipelines/{extra}/streams")).json()["items"]
    assert stream["selected"] is False
    ghost = await desk("PUT", f"pipelines/{extra}/streams/ghosts", json={})
    assert (ghost.status_code, ghost.json()["where"]["field"]) == (422, "streams.ghosts")


async def test_schema_changes_are_listed_newest_first(desk, extra):
    async with org_scope(OPERATOR, desk.org.slug) as scope:
        pipeline = await scope.session.scalar(select(Pipeline.id).where(Pipeline.name == extra))
        for column in ("first", "second", "third"):
            scope.session.add(
                SchemaChangeRow(
                    pipeline_id=pipeline,
                    run_id=uuid4(),
                    stream="orders",
                    table_name="orders",
                    column_name=column,
                    change="added",
                    decision="taken",
                    found_at=clock.now(),
                )
            )
            await scope.session.flush()
    path = f"pipelines/{extra}/schema-changes"
    page = (await desk("GET", path, params={"limit": 2})).json()
    rest = (await desk("GET", path, params={"limit": 2, "cursor": page["next"]})).json()
    assert [one["column"] for one in page["items"]] == ["third", "second"]
    assert ([one["column"] for one in rest["items"]], rest["next"]) == (["first"], None)


@pytest.mark.parametrize(
    ("decision", "columns"),
    [("accept", {}), ("ignore", {"email": {"policy": "drop"}})],
    ids=["accept", "ignore"],
)
async def test_decision_on_a_refused_column_is_kept(desk, extra, decision, columns):
    path = f"pipelines/{extra}/streams/orders/columns/email"
    early = await desk("PUT", path, json={"decision": decision})
    assert (early.status_code, early.json()["where"]["field"]) == (422, "schema_policy")
    await desk("PATCH", f"pipelines/{extra}", json={"schema_policy": "freeze"})
    made = await desk("PUT", path, json={"decision": decision})
    assert (made.status_code, made.json()["columns"]) == (200, columns)


async def test_schedule_is_set_told_and_removed(desk, extra):
    path = f"schedules/{extra}"
    cron = {"cron": "0 6 * * *", "timezone": "Europe/Berlin"}
    made = await desk("PUT", path, json=cron)
    assert (made.status_code, made.json()["cron"]) == (200, "0 6 * * *")
    fires = (await desk("GET", f"{path}/next", params={"count": 3})).json()["fires"]
    moments = [datetime.fromisoformat(fire) for fire in fires]
    assert len(moments) == 3
    assert moments == sorted(moments)
    assert fires[0] == (await desk("GET", path)).json()["next_fire_at"]
    assert (await desk("POST", f"{path}/pause")).json()["paused"] is True
    assert (await desk("GET", f"{path}/next")).json()["fires"] == []
    assert (await desk("POST", f"{path}/resume")).json()["paused"] is False
    listed = (await desk("GET", "schedules")).json()["items"]
    assert extra in [one["pipeline"] for one in listed]
    assert (await desk("DELETE", path)).status_code == 204
    assert (await desk("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "given",
    [{}, {"cron": "* * *"}, {"cron": "0 * * * *", "timezone": "Mars/Base"}, {"interval_s": 1}],
    ids=["nothing", "cron", "zone", "interval"],
)
async def test_schedule_that_cannot_be_is_refused(desk, given):
    answer = await desk("PUT", "schedules/shop", json=given)
    assert answer.status_code == 422
    assert answer.json()["remedy"]
