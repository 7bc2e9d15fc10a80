"""An export is complete, readable, and stays in its directory."""

from __future__ import annotations

import json

import asyncpg
import pytest

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.services import export
from etlfabric_dagster.services.scope import OPERATOR


async def execute(warehouse, *statements):
    conn = await asyncpg.connect(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse.username,
        password=warehouse.password,
        database=warehouse.database,
    )
    for statement in statements:
        await conn.execute(statement)
    await conn.close()


async def test_export_holds_every_table_with_null_and_empty_text_apart(org, warehouse, tmp_path):
    await execute(
        warehouse,
        f"CREATE TABLE {warehouse.raw}.orders AS"
        " SELECT * FROM (VALUES (1, ''), (2, NULL)) v(id, note)",
        f"CREATE VIEW {warehouse.staging}.stg AS SELECT 1",
    )
    report = await export.export(OPERATOR, org.slug, tmp_path / "out")
    assert report.tables == {"raw.orders": 2}
    text = (tmp_path / "out" / "data" / "raw" / "orders.csv").read_text()
    assert text == 'id,note\n1,""\n2,\n'
    assert json.loads((tmp_path / "out" / "org.json").read_text())["org"]["slug"] == org.slug


async def test_hostile_table_name_stays_inside(org, warehouse, tmp_path):
    await execute(warehouse, f'CREATE TABLE {warehouse.marts}."../../../escaped" (i int)')
    await export.export(OPERATOR, org.slug, tmp_path / "a" / "b" / "out")
    assert not list(tmp_path.rglob("escaped.csv"))
    assert len(list((tmp_path / "a" / "b" / "out" / "data" / "marts").iterdir())) == 1


async def test_directory_that_holds_something_is_refused(org, tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(InvalidInputError, match="not empty"):
        await export.export(OPERATOR, org.slug, tmp_path)


async def test_progress_names_each_table(org, warehouse, tmp_path):
    await execute(warehouse, *(f"CREATE TABLE {warehouse.raw}.t{n} (i int)" for n in range(3)))
    told = []
    await export.export(OPERATOR, org.slug, tmp_path / "o", lambda *step: told.append(step))
    assert told == [("raw.t0", 1, 3), ("raw.t1", 2, 3), ("raw.t2", 3, 3)]
