"""dbt models, lineage and data, in a browser, on tables that dbt really built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from etlfabric_dagster import aio
from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.jobs import TransformJob, Warehouse
from etlfabric_dagster.schemas.runs import NodeResult, RunStatus, StreamResult
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_dagster.services import dbt_models, leases, orgs, runs, sandbox, tenants
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui import strings
from etlfabric_ui.state.data import DataState
from etlfabric_ui.state.data_profile import ProfileState
from etlfabric_ui.state.data_query import QueryState
from etlfabric_ui.state.dbt_panels import DbtPanelsState
from etlfabric_ui.views.shared import Problem
from tests.browser.conftest import Member, Panel, Witness, add_member, sign_in
from tests.browser.promises import TELL, announced, follow, kept, looks
from tests.test_services.ended_runs import empty_queue
from tests.test_services.loaded import add_shop

DAILY = """select customer, sum(amount) as revenue
from {{ ref('stg_orders') }}
group by 1
"""
COLUMNS = (
    *(ColumnInfo(name="id", type="bigint"), ColumnInfo(name="customer", type="text")),
    *(ColumnInfo(name="amount", type="numeric(12,2)"), ColumnInfo(name="note", type="text")),
    *(ColumnInfo(name="extra", type="jsonb"), ColumnInfo(name="_dlt_id", type="text")),
)


COMPLETIONS = (
    ("select * from {{ ref('", "stg_o", "stg_orders"),
    ("select 1 from {{ ref('stg_orders') }} where ", "amo", re.compile("^amount.*numeric")),
)
"""What stands there, what is typed after it, and what the editor offers first."""


FAULT = asdict(Problem("error", "db.acme.io did not answer.", "Try again in a minute."))
WAY = {"problem_rx_state_": FAULT}
TABLE = "data/raw/shop__orders"
IN_PARTS = (
    (DataState, TABLE, {**WAY, "loaded_rx_state_": False}, "Try again", "td .value"),
    (DataState, TABLE, {"error_rx_state_": FAULT, "rows_rx_state_": []}, "Try again", "td .value"),
    (
        *(ProfileState, f"{TABLE}?tab=profile"),
        *(
            {**WAY, "said_rx_state_": "", "rows_rx_state_": []},
            "Try again",
            ".table:not(.cells) td",
        ),
    ),
    (QueryState, f"{TABLE}?tab=sql", {**WAY, "keep_rx_state_": ""}, "Try again", ".cm-content"),
    (
        *(DbtPanelsState, "dbt-models/marts/daily_orders.sql?panel=tests"),
        *({**WAY, "loaded_rx_state_": False}, "Try again", ".test-form"),
    ),
)
"""What reads on its own, where it stands, what is in its way, how it is tried again, and by what
one sees that it was read.
"""


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
    pipeline_id = await add_shop(slug, orders=COLUMNS)
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
        wide = ", ".join(f"g * {n} AS c{n:03}" for n in range(1, 121))
        conn.execute(
            f'CREATE TABLE "{warehouse.raw}".wide AS SELECT {wide} FROM generate_series(1, 3) g'
        )
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
    assert found.complaints == []


def editor(page: Page) -> None:
    page.wait_for_selector(".cm-content")


def write(page: Page, text: str) -> None:
    """Replace the text as a paste does: nothing is completed or closed on the way."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def open_file(page: Page, shop: Shop, path: str, query: str = "") -> None:
    page.goto(f"/o/{shop.slug}/dbt-models/{path}{query}")
    expect(page.get_by_role("heading", level=2, name=path)).to_be_visible()
    expect(page).to_have_title(f"{path.split('/')[-1].split('.')[0]} · dbt models · Models Inc.")
    editor(page)


def test_dbt_model_is_written_previewed_formatted_and_saved(window: Page, shop: Shop) -> None:
    window.goto(f"/o/{shop.slug}/dbt-models")
    window.get_by_role("button", name="New", exact=True).click()
    window.get_by_label("Name", exact=True).fill("big_orders")
    window.get_by_role("button", name="Create").click()
    expect(window.locator(".cm-content")).to_contain_text("ref('stg_orders')")

    for before, typed, completed in COMPLETIONS:
        write(window, before)
        window.keyboard.type(typed)
        expect(window.locator(".cm-tooltip-autocomplete li").first).to_have_text(completed)
        window.keyboard.press("Escape")

    write(window, "select id,amount from {{ref('stg_orders')}} where amount>300")
    expect(window.get_by_text("unsaved").first).to_be_visible()
    window.keyboard.press("Control+Enter")
    expect(window.get_by_text(re.compile(r"20\s+rows in .*, first 20 only"))).to_be_visible()
    expect(window.get_by_role("region", name="Preview").locator("tbody tr")).to_have_count(20)

    window.get_by_role("button", name="Format").click()
    expect(window.locator(".cm-content")).to_contain_text("select id, amount")
    window.get_by_role("button", name="Save").click()
    expect(announced(window, "Saved.")).to_be_visible()
    expect(window.get_by_role("link", name="big_orders")).to_be_visible()
    expect(window.get_by_text("unsaved")).to_have_count(0)
    columns = window.get_by_role("complementary", name="Columns")
    expect(columns.get_by_role("heading", name="Columns of stg_orders")).to_be_visible()
    expect(columns.get_by_role("listitem").filter(has_text="amount")).to_contain_text("numeric")


def test_wrong_sql_is_kept_as_a_draft_and_leads_to_its_line(window: Page, shop: Shop) -> None:
    open_file(window, shop, "marts/daily_orders.sql")
    write(window, "select 1 as a\nfrom {{ ref('nosuch') }}")
    window.keyboard.press("Control+s")
    expect(announced(window, "Saved as draft. The last good version")).to_be_visible()
    window.get_by_role("button", name="Go to line 2").click()
    expect(window.locator(".cm-activeLine")).to_contain_text("nosuch")
    expect(window.locator(".cm-lintRange-error")).to_be_visible()

    write(window, DAILY)
    window.keyboard.press("Control+s")
    expect(announced(window, "Saved.")).to_be_visible()


def test_save_after_somebody_elses_is_compared_and_loses_nothing(window: Page, shop: Shop) -> None:
    aio.run(dbt_models.put(OPERATOR, shop.slug, "marts/both.sql", "select 1 as id\n"))
    open_file(window, shop, "marts/both.sql")
    write(window, "select 3 as mine\n")
    aio.run(dbt_models.put(OPERATOR, shop.slug, "marts/both.sql", "select 2 as theirs\n"))
    window.get_by_role("button", name="Save").click()
    expect(window.get_by_role("alert")).to_contain_text("saved both after you opened it")
    window.get_by_role("button", name="Compare", exact=True).click()
    difference = window.get_by_role("region", name="Differences")
    expect(difference).to_contain_text("theirs")
    expect(difference).to_contain_text("mine")
    window.get_by_role("button", name="Save mine over it").click()
    expect(announced(window, "Saved.")).to_be_visible()

    window.get_by_role("link", name="Changes").click()
    window.get_by_role("button", name="Restore").first.click()
    expect(window.locator(".cm-content")).to_contain_text("theirs")


def test_unsaved_text_asks_before_it_is_left_and_survives(window: Page, shop: Shop) -> None:
    open_file(window, shop, "marts/daily_orders.sql")
    write(window, "select 'kept' as word")
    expect(window.get_by_text("unsaved").first).to_be_visible()
    asked: list[str] = []
    window.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    window.goto(f"/o/{shop.slug}/overview")
    assert asked == ["beforeunload"]
    open_file(window, shop, "marts/daily_orders.sql")
    expect(window.locator(".cm-content")).to_contain_text("kept")
    write(window, DAILY)
    expect(window.get_by_text("unsaved")).to_have_count(0)


def test_generated_staging_is_locked_until_it_is_copied(window: Page, shop: Shop) -> None:
    open_file(window, shop, "staging/stg_orders.sql")
    expect(window.get_by_text("Generated from shop.orders and rebuilt when")).to_be_visible()
    write(window, "select 1")
    expect(window.locator(".cm-content")).to_contain_text("source('raw', 'shop__orders')")
    window.get_by_role("button", name="Copy to edit").click()
    expect(window.get_by_role("button", name="Save")).to_be_visible()
    write(window, "select 1")
    expect(window.locator(".cm-content")).to_have_text("select 1")
    window.evaluate("localStorage.clear()")


def test_test_is_added_by_form_and_its_failing_rows_are_shown(window: Page, shop: Shop) -> None:
    open_file(window, shop, "marts/daily_orders.sql", "?panel=tests")
    window.get_by_label("Column", exact=True).fill("customer")
    window.get_by_label("Test", exact=True).select_option("unique")
    window.get_by_role("button", name="Add test").click()
    expect(announced(window, "Test added to marts/daily_orders.yml")).to_be_visible()
    expect(window.get_by_text("unique_daily_orders_customer")).to_be_visible()


def test_file_is_deleted_by_its_typed_name_only(window: Page, shop: Shop) -> None:
    aio.run(dbt_models.put(OPERATOR, shop.slug, "marts/gone.sql", "select 1 as id\n"))
    open_file(window, shop, "marts/gone.sql")
    window.get_by_role("button", name="Delete").click()
    window.get_by_label("Type gone to confirm").fill("gon")
    window.get_by_role("button", name="Delete", exact=True).last.click()
    expect(window.get_by_text("That is not the name of this file.")).to_be_visible()
    window.get_by_label("Type gone to confirm").fill("gone")
    window.get_by_role("button", name="Delete", exact=True).last.click()
    expect(window).to_have_url(re.compile(r"/dbt-models$"))
    expect(window.get_by_role("link", name="gone")).to_have_count(0)


def test_viewer_reads_and_previews_and_cannot_save(page: Page, shop: Shop) -> None:
    sign_in(page, shop.viewer)
    open_file(page, shop, "marts/daily_orders.sql")
    save = page.get_by_role("button", name="Save")
    expect(save).to_have_attribute("aria-disabled", "true")
    expect(save).to_have_attribute("title", "Editors can write dbt models.")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text(re.compile(r"7\s+rows in "))).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dbt_models_are_accessible_and_fit(window: Page, shop: Shop, scheme: str) -> None:
    for width in (1280, 390):
        window.set_viewport_size({"width": width, "height": 800})
        open_file(window, shop, "marts/daily_orders.sql")
        assert looks(window, scheme, width) == []
    expect(window.get_by_text("Editing needs a wider screen.")).to_be_visible()


def test_rows_are_sorted_filtered_and_turned_and_values_read_whole(
    window: Page, shop: Shop
) -> None:
    window.goto(f"/o/{shop.slug}/data/raw/shop__orders")
    expect(window).to_have_title("raw.shop__orders · Data · Models Inc.")
    rows = window.get_by_role("region", name="Rows").locator("tbody tr")
    expect(rows).to_have_count(100)
    expect(rows.nth(2)).to_contain_text("NULL")
    expect(rows.nth(0)).to_contain_text("''")
    expect(window.get_by_text("1–100")).to_be_visible()
    window.get_by_role("button", name="Next").click()
    expect(window.get_by_text("101–200")).to_be_visible()

    window.get_by_role("button", name=re.compile("^amount")).click()
    window.wait_for_url("**sort=amount")
    expect(window.get_by_text("1–100")).to_be_visible()
    window.get_by_label("Filter by column").select_option("note")
    window.get_by_label("How").select_option("null")
    window.get_by_role("button", name="Filter", exact=True).click()
    expect(rows).to_have_count(83)
    window.reload()
    expect(rows).to_have_count(83)
    window.get_by_label("Filter by column").select_option("customer")
    window.get_by_label("Value").fill("zoho")
    window.get_by_label("How").select_option("equals")
    window.get_by_role("button", name="Filter", exact=True).click()
    expect(window.get_by_text(strings.NO_MATCH.format(noun="rows"))).to_be_visible()
    window.get_by_role("button", name=strings.CLEAR_FILTERS).click()
    expect(rows).to_have_count(100)

    window.locator("td .value", has_text="long").first.click()
    drawer = window.get_by_role("complementary", name="note")
    expect(drawer.locator("pre")).to_have_text("long " * 100)
    window.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_wide_table_is_read_fifty_columns_at_a_time(window: Page, shop: Shop) -> None:
    window.goto(f"/o/{shop.slug}/data/raw/wide")
    rows = window.get_by_role("region", name="Rows")
    expect(window.get_by_text("Columns 1–50 of 120")).to_be_visible()
    expect(rows.locator("th")).to_have_count(50)
    on = window.get_by_role("button", name="Next columns")
    on.click()
    on.click()
    expect(window.get_by_text("Columns 101–120 of 120")).to_be_visible()
    expect(rows.locator("tbody tr").nth(2).locator("td").last).to_contain_text("360")
    rows.get_by_text("360", exact=True).click()
    expect(window.get_by_role("complementary", name="c120")).to_contain_text("360")
    window.keyboard.press("Escape")
    expect(on).to_have_count(0)
    window.get_by_role("button", name="Previous columns").click()
    expect(window.get_by_text("Columns 51–100 of 120")).to_be_visible()


def test_columns_profile_and_query_of_a_table(window: Page, shop: Shop) -> None:
    window.goto(f"/o/{shop.slug}/data/raw/shop__orders?tab=columns")
    expect(window.get_by_role("cell", name="numeric")).to_be_visible()
    window.get_by_role("link", name="Profile").click()
    expect(window.get_by_text("From all 250 rows")).to_be_visible()
    expect(window.get_by_text("36 × customer 1")).to_be_visible()
    window.get_by_role("link", name="SQL", exact=True).click()
    editor(window)
    write(window, "select count(*) as orders from shop__orders")
    window.keyboard.press("Control+Enter")
    expect(window.get_by_role("region", name="Result")).to_contain_text("250")
    write(window, "delete from shop__orders")
    window.keyboard.press("Control+Enter")
    expect(window.get_by_role("alert")).to_contain_text("Only select; models write.")


def test_what_is_in_the_way_of_a_part_is_shown_there_and_read_again_when_asked(
    signed_in: Page, shop: Shop, panel: Panel
) -> None:
    page = signed_in.context.new_page()
    witness = Witness((panel.url, panel.api, panel.api.replace("http", "ws")))
    witness.watch(page)
    page.add_init_script(TELL)
    page.goto(f"/o/{shop.slug}/overview")
    said = page.locator("main").get_by_role("alert")
    for state, path, told, again, there in IN_PARTS:
        follow(page, f"/o/{shop.slug}/{path}")
        expect(page.locator(there).first, path).to_be_visible()
        name = state.get_full_name()
        page.evaluate("([state, told]) => tell({ [state]: told })", [name, told])
        expect(said, path).to_contain_text("db.acme.io did not answer.")
        expect(page.locator(there), path).to_have_count(0)
        page.locator("main").get_by_role("button", name=again).click()
        expect(page.locator(there).first, path).to_be_visible()
        expect(said, path).to_have_count(0)
    page.close()
    assert witness.complaints == []


def test_download_carries_the_session_and_says_its_size_first(
    window: Page, shop: Shop, panel: Panel
) -> None:
    window.goto(f"/o/{shop.slug}/data/raw/shop__orders")
    button = window.get_by_role("button", name=re.compile(r"Download CSV, ≈\s\d+(\.\d+)?\skB"))
    with window.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "raw_shop__orders.csv"
    assert download.value.url.startswith(f"{panel.api}/api/v1/orgs/{shop.slug}/data/raw/")
    lines = download.value.path().read_text().splitlines()
    assert (lines[0], len(lines)) == ("id,customer,amount,note,extra,_dlt_id", 251)


def test_lineage_leads_from_source_to_mart_by_keyboard(window: Page, shop: Shop) -> None:
    window.goto(f"/o/{shop.slug}/lineage")
    first = window.locator('[data-node="source.shop.orders"]')
    first.focus()
    for node in ("raw.shop__orders", "staging.stg_orders", "marts.daily_orders"):
        window.keyboard.press("ArrowRight")
        if node != "marts.daily_orders":
            expect(window.locator(f'[data-node="{node}"]')).to_be_focused()
    staging = window.locator('[data-node="staging.stg_orders"]')
    staging.press("Enter")
    drawer = window.get_by_role("complementary", name="stg_orders")
    expect(drawer).to_contain_text("numeric")
    drawer.get_by_role("button", name="Focus").click()
    window.wait_for_url("**focus=staging.stg_orders")
    failed = window.locator('[data-node="marts.daily_orders"]')
    expect(failed).to_have_class(re.compile("failed"))
    window.get_by_role("button", name="Failing").click()
    expect(window.locator("[data-node]")).to_have_count(1)
    window.get_by_role("button", name="List").click()
    expect(window.get_by_role("table", name="Tables and their state")).to_be_visible()


def test_filter_that_finds_no_file_table_or_node_says_so_and_is_cleared(
    window: Page, shop: Shop
) -> None:
    for path, noun in (("dbt-models", "files"), ("data/raw/shop__orders", "tables")):
        follow(window, f"/o/{shop.slug}/{path}")
        pane = window.get_by_role("navigation", name=noun.capitalize())  # not the page before's
        find = pane.get_by_role("searchbox")
        expect(pane.locator(".leaf").nth(1)).to_be_visible()
        find.fill("zoho")
        expect(pane).to_contain_text(strings.NO_MATCH.format(noun=noun))
        follow(window, f"/o/{shop.slug}/overview")
        follow(window, f"/o/{shop.slug}/{path}")
        expect(find).to_have_value("zoho")
        pane.get_by_role("button", name=strings.CLEAR_FILTERS).click()
        expect(find).to_have_value("")
        expect(pane.locator(".leaf").nth(1)).to_be_visible()

    follow(window, f"/o/{shop.slug}/lineage?pipeline=zoho")
    expect(window.get_by_text(strings.NO_MATCH.format(noun="tables"))).to_be_visible()
    window.get_by_role("button", name=strings.CLEAR_FILTERS).click()
    expect(window.locator("[data-node]").first).to_be_visible()


@pytest.mark.parametrize("path", ["data/raw/shop__orders", "lineage"])
def test_data_and_lineage_are_accessible_and_fit(window: Page, shop: Shop, path: str) -> None:
    window.goto(f"/o/{shop.slug}/{path}")
    expect(window.locator("table, .graph").filter(visible=True).first).to_be_visible()

    assert kept(window) == []
    for name in window.locator(".table-head h2").all():
        box = name.bounding_box()
        assert box
        assert box["width"] > 300, "the table's name has a line of a phone to itself"
