"""The data browser reads as the tenant's login; lineage leads from source to mart."""

from __future__ import annotations

import psycopg
import pytest

from etlfabric_dagster.errors import InvalidInputError, NotFoundError, TransformError
from etlfabric_dagster.schemas.data import DataLayer, NodeState, RowFilter, TableDetail
from etlfabric_dagster.schemas.runs import ErrorInfo, NodeResult, RunStatus, StreamResult
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_dagster.services import data, data_pages, dbt_models, leases, lineage, orgs, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_services.ended_runs import empty_queue
from tests.test_services.loaded import add_shop

RAW, MARTS = DataLayer.RAW, DataLayer.MARTS


@pytest.fixture
def tables(org, warehouse, interactive_worker) -> str:
    """A raw table with 30 rows and odd names, and a view over it in the marts."""
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
    ) as conn:
        conn.execute(
            f"""CREATE TABLE "{warehouse.raw}"."shop__or""ders" AS
            SELECT g AS id, CASE WHEN g % 3 = 0 THEN NULL ELSE 'c' || g % 2 END AS "Cu""stomer",
                (g * 1.5)::numeric(10,2) AS amount, jsonb_build_object('a', g % 2) AS extra,
                ARRAY[g] AS tags, g > 15 AS late, DATE '2026-01-01' + g AS day
            FROM generate_series(1, 30) g"""
        )
        conn.execute(f'ANALYZE "{warehouse.raw}"."shop__or""ders"')
        conn.execute(f'CREATE TABLE "{warehouse.raw}"._dlt_loads (load_id text)')
        conn.execute(
            f"""CREATE VIEW "{warehouse.marts}".daily AS
            SELECT day, amount FROM "{warehouse.raw}"."shop__or""ders" """
        )
        conn.execute(f'CREATE VIEW "{warehouse.marts}".broken AS SELECT 1 / (random() * 0) AS x')
    return org.slug


TABLE = 'shop__or"ders'


async def test_tables_are_listed_with_estimates_and_sizes(tables):
    async with org_scope(OPERATOR, tables) as scope:
        page = await data.list_tables(scope)
        raw = await data.describe(scope, RAW, TABLE)
    assert [(t.db_schema, t.name, t.kind) for t in page.items] == [
        ("marts", "broken", "view"),
        ("marts", "daily", "view"),
        ("raw", TABLE, "table"),
    ]
    assert (raw.rows_estimate, raw.columns) == (30, 7)
    assert raw.size_bytes >= 8192
    assert raw.column_list[2] == ColumnInfo(name="amount", type="numeric(10,2)")


async def test_tables_are_searched_and_paged(tables):
    async with org_scope(OPERATOR, tables) as scope:
        assert [t.name for t in (await data.list_tables(scope, q="DAI")).items] == ["daily"]
        assert len((await data.list_tables(scope, layer=MARTS)).items) == 2
        first = await data.list_tables(scope, limit=2)
        second = await data.list_tables(scope, limit=2, cursor=first.next)
    assert [t.name for t in second.items] == [TABLE]
    assert second.next is None


async def test_rows_come_in_pages_ordered_by_any_column(tables):
    page = await data.rows(
        OPERATOR, tables, RAW, TABLE, order_by="id", descending=True, offset=5, limit=3
    )
    assert [row[0] for row in page.rows] == [25, 24, 23]
    by_odd_name = await data.rows(OPERATOR, tables, RAW, TABLE, order_by='Cu"stomer', limit=1)
    assert by_odd_name.rows[0][1] == "c0"


@pytest.mark.parametrize(
    "options",
    [{"order_by": "id; drop table x"}, {"limit": 0}, {"limit": 1001}, {"offset": -1}],
    ids=["column", "none", "many", "negative"],
)
async def test_page_that_cannot_be_is_refused(tables, options):
    with pytest.raises(InvalidInputError):
        await data.rows(OPERATOR, tables, RAW, TABLE, **options)


async def test_profile_counts_nulls_and_distinct_values_and_finds_the_ends(tables):
    found = await data.profile(OPERATOR, tables, RAW, TABLE)
    assert (found.rows, found.complete) == (30, True)
    columns = {column.name: column for column in found.columns}
    odd = columns['Cu"stomer']
    assert (odd.nulls, odd.distinct, odd.min, odd.max) == (10, 2, "c0", "c1")
    assert (columns["amount"].min, columns["amount"].max) == ("1.50", "45.00")
    assert (columns["day"].min, columns["day"].max) == ("2026-01-02", "2026-01-31")
    assert (columns["extra"].distinct, columns["extra"].min) == (2, None)
    assert (columns["tags"].distinct, columns["late"].distinct) == (30, 2)


async def test_csv_is_the_whole_table(tables):
    pieces = [piece async for piece in data.csv(OPERATOR, tables, MARTS, "daily")]
    lines = b"".join(pieces).decode().splitlines()
    assert lines[0] == "day,amount"
    assert len(lines) == 31


async def test_csv_that_nobody_reads_on_gives_its_connection_back(tables, warehouse):
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
        autocommit=True,
    ) as conn:
        conn.execute(
            f'CREATE VIEW "{warehouse.marts}".large AS'
            " SELECT repeat('x', 1000) AS x FROM generate_series(1, 1000000)"
        )
    download = data.csv(OPERATOR, tables, MARTS, "large")
    await anext(download)
    await download.aclose()


async def test_view_that_fails_is_an_error_with_a_remedy(tables):
    with pytest.raises(TransformError):
        await data.rows(OPERATOR, tables, MARTS, "broken")
    with pytest.raises(TransformError) as failed:
        async for _ in data.csv(OPERATOR, tables, MARTS, "broken"):
            pass
    assert failed.value.remedy


async def test_another_orgs_table_is_missing(tables, make_slug):
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    async with org_scope(OPERATOR, other.slug) as scope:
        assert (await data.list_tables(scope)).items == ()
        with pytest.raises(NotFoundError):
            await data.describe(scope, RAW, TABLE)
    with pytest.raises(NotFoundError):
        await data.rows(OPERATOR, other.slug, RAW, TABLE)


@pytest.fixture
async def shop(org, interactive_worker) -> str:
    """A loaded stream, its staging model and two marts in a row."""
    columns = (ColumnInfo(name="id", type="bigint"), ColumnInfo(name="_dlt_id", type="text"))
    await add_shop(org.slug, orders=columns)
    await dbt_models.regenerate(OPERATOR, org.slug)
    daily = "select id from {{ ref('stg_orders') }}"
    await dbt_models.put(OPERATOR, org.slug, "marts/daily.sql", daily)
    monthly = "select id from {{ ref('daily') }}"
    await dbt_models.put(OPERATOR, org.slug, "marts/monthly.sql", monthly)
    return org.slug


async def ran(slug: str, status: RunStatus, models: dict[str, str], stream: StreamResult) -> None:
    await empty_queue()
    async with org_scope(OPERATOR, slug) as scope:
        started = await runs.start(scope, "shop")
    claimed = await leases.claim(started.id, "w")
    assert claimed is not None
    results = {name: NodeResult(status=one, message="why") for name, one in models.items()}
    await leases.record(claimed.run_id, claimed.token, {"orders": stream}, results)
    await leases.finish(claimed.run_id, claimed.token, status, None)


async def graph(slug: str, **options):
    async with org_scope(OPERATOR, slug) as scope:
        found = await lineage.graph(scope, **options)
    return {node.id: node for node in found.nodes}, found.edges


async def test_lineage_leads_from_the_source_to_the_last_mart(shop):
    nodes, edges = await graph(shop)
    assert edges == (
        ("marts.daily", "marts.monthly"),
        ("raw.shop__orders", "staging.stg_orders"),
        ("source.shop.orders", "raw.shop__orders"),
        ("staging.stg_orders", "marts.daily"),
    )
    assert {node.state for node in nodes.values()} == {NodeState.FINE, NodeState.NEVER}
    assert nodes["marts.daily"].pipelines == ("shop",)


async def test_lineage_tells_what_failed_and_why(shop):
    await ran(shop, RunStatus.SUCCEEDED, {"daily": "success"}, StreamResult(rows=1))
    nodes, _ = await graph(shop)
    assert {node.state for node in nodes.values()} == {NodeState.FINE}
    await ran(shop, RunStatus.FAILED, {"daily": "error", "stg_orders": "success"}, StreamResult())
    nodes, _ = await graph(shop)
    assert (nodes["marts.daily"].state, nodes["marts.daily"].message) == (NodeState.FAILED, "why")
    assert nodes["staging.stg_orders"].state is NodeState.FINE
    broken = StreamResult(status="failed", error=ErrorInfo(message="refused"))
    await ran(shop, RunStatus.FAILED, {}, broken)
    nodes, _ = await graph(shop)
    assert nodes["source.shop.orders"].message == "refused"
    assert nodes["raw.shop__orders"].state is NodeState.FAILED


async def test_focus_shows_what_is_around_it_to_a_depth(shop):
    nodes, edges = await graph(shop, focus="staging.stg_orders", depth=1)
    assert set(nodes) == {"raw.shop__orders", "staging.stg_orders", "marts.daily"}
    assert len(edges) == 2
    nodes, _ = await graph(shop, focus="marts.monthly")
    assert len(nodes) == 5
    with pytest.raises(NotFoundError):
        await graph(shop, focus="marts.nosuch")


async def test_columns_of_existing_tables_come_when_asked_for(shop, warehouse):
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
    ) as conn:
        conn.execute(f'CREATE TABLE "{warehouse.raw}".shop__orders (id bigint NOT NULL)')
    nodes, _ = await graph(shop, columns=True)
    expected = (ColumnInfo(name="id", type="bigint", nullable=False),)
    assert nodes["raw.shop__orders"].columns == expected
    assert nodes["marts.daily"].columns == ()  # not built yet


async def test_lineage_of_an_empty_org_is_empty(org):
    assert await graph(org.slug) == ({}, ())


async def every_row(slug: str, **options) -> list[tuple]:
    """All pages of a table, one after the other."""
    rows, cursor = [], None
    while True:
        found = await data.page(OPERATOR, slug, RAW, TABLE, limit=7, cursor=cursor, **options)
        rows += found.rows
        cursor = found.next
        if cursor is None:
            return rows


@pytest.mark.parametrize("order_by", [None, "id", 'Cu"stomer', "amount", "day"])
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
async def test_pages_hold_each_row_once_in_any_order(tables, order_by, descending):
    rows = await every_row(tables, order_by=order_by, descending=descending)
    assert sorted(int(row[0]) for row in rows) == [*range(1, 31)]
    if order_by == "amount":
        assert [float(row[2]) for row in rows] == sorted(
            (g * 1.5 for g in range(1, 31)), reverse=descending
        )
    if order_by == 'Cu"stomer':
        assert [row[1] for row in rows[-10:]] == [None] * 10  # NULL last, both ways


async def test_a_view_is_paged_too(tables):
    first = await data.page(OPERATOR, tables, MARTS, "daily", order_by="day", limit=20)
    second = await data.page(
        OPERATOR, tables, MARTS, "daily", order_by="day", limit=20, cursor=first.next
    )
    assert [row[0] for row in (*first.rows, *second.rows)] == sorted(
        row[0] for row in (*first.rows, *second.rows)
    )
    assert (len(second.rows), second.next) == (10, None)


@pytest.mark.parametrize(
    ("column", "kind", "value", "count"),
    [
        ('Cu"stomer', "null", "", 10),
        ('Cu"stomer', "not_null", "", 20),
        ('Cu"stomer', "equals", "c1", 10),
        ('Cu"stomer', "contains", "C", 20),
        ('Cu"stomer', "empty", "", 0),
        ('Cu"stomer', "contains", "' or 'a'='a", 0),
        ('Cu"stomer', "contains", "\\' or true --", 0),
        ("amount", "above", "30", 10),
        ("day", "below", "2026-01-03", 1),
    ],
)
async def test_filters_keep_what_they_say(tables, column, kind, value, count):
    wanted = (RowFilter(column=column, kind=kind, value=value),)
    assert len(await every_row(tables, filters=wanted)) == count


async def test_filter_that_does_not_fit_its_column_is_told(tables):
    with pytest.raises(TransformError, match="numeric"):
        await every_row(tables, filters=(RowFilter(column="amount", kind="above", value="x"),))
    with pytest.raises(InvalidInputError):
        await every_row(tables, filters=(RowFilter(column="nosuch", kind="null"),))


async def test_long_values_are_cut_and_read_whole_on_demand(tables, warehouse):
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
        autocommit=True,
    ) as conn:
        conn.execute(f"""CREATE TABLE "{warehouse.raw}".long AS SELECT repeat('x', 5000) AS text""")
    found = await data.page(OPERATOR, tables, RAW, "long")
    assert len(found.rows[0][0] or "") == 201
    assert found.mean_bytes > 5000
    whole = await data.value(OPERATOR, tables, RAW, "long", "text", found.places[0])
    assert whole == "x" * 5000
    with pytest.raises(NotFoundError):
        await data.value(OPERATOR, tables, RAW, "long", "text", "(99,1)")
    with pytest.raises(InvalidInputError):
        await data.value(OPERATOR, tables, RAW, "long", "text", "(0,1)' or true --")


async def test_profile_names_the_most_frequent_values_of_a_sample_or_of_all(tables):
    sample = await data.profile(OPERATOR, tables, RAW, TABLE, limit=10)
    assert (sample.rows, sample.complete) == (10, False)
    whole = await data.profile(OPERATOR, tables, RAW, TABLE, limit=None)
    assert (whole.rows, whole.complete) == (30, True)
    columns = {column.name: column for column in whole.columns}
    assert columns['Cu"stomer'].top == (("c0", 10), ("c1", 10))


def test_column_whose_type_has_no_order_cannot_be_sorted_by():
    table = TableDetail(
        db_schema=RAW,
        name="t",
        kind="table",
        rows_estimate=1,
        size_bytes=1,
        columns=1,
        column_list=(ColumnInfo(name="payload", type="json"),),
    )
    asked = data_pages.Asked("payload", False, (), None, 10)
    with pytest.raises(InvalidInputError, match="no order"):
        data_pages.statement('"s"."t"', table, asked)
