"""A connection, a pipeline and the schedules, looked at and changed in a browser."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from etlfabric_dagster import aio
from etlfabric_dagster.config import Settings
from etlfabric_dagster.models import Stream
from etlfabric_dagster.schemas.runs import ErrorInfo, RunStatus, StreamResult
from etlfabric_dagster.schemas.streams import LoadMode, SchemaPolicy
from etlfabric_dagster.services import connections, leases, pipelines, runs, schedules
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui.state.wizard import WizardState
from etlfabric_ui.views.shared import Problem
from tests.browser.conftest import Member, add_member, enter
from tests.browser.promises import TELL, announced, beneath, drawn, kept, serious, without_colors
from tests.test_services.ended_runs import add_pipeline, empty_queue, end_run

PICTURES = """async () => { const found = [];
  const address = (mark) => getComputedStyle(mark).getPropertyValue('--mark').slice(4, -1);
  for (const tile of document.querySelectorAll('.tile')) {
    const mark = tile.querySelector('.mark');
    const picture = mark ? await (await fetch(address(mark))).text() : tile.innerHTML;
    if (!picture.includes('<svg')) found.push(tile.innerText); }
  return found; }"""
"""Tiles of the catalog without a picture."""
Source = tuple[dict[str, Any], dict[str, str]]


@pytest.fixture(scope="module")
def shop(migrated: Settings, interactive_worker: None, shop_source: Source) -> Member:
    """The owner of an org with a tested connection `shop` and a pipeline on it."""
    owner = add_member("owner")
    aio.run(_furnish(owner.org, shop_source))
    return owner


async def _furnish(org: str, source: Source) -> None:
    config, secrets = source
    async with org_scope(OPERATOR, org) as scope:
        await connections.create(scope, "shop", "sql_database", config, secrets)
    await connections.check(OPERATOR, org, "shop")
    await pipelines.create(
        OPERATOR, org, "shop", connection="shop", schema_policy=SchemaPolicy.FREEZE
    )
    await pipelines.create(OPERATOR, org, "spare", models="staging")
    async with org_scope(OPERATOR, org) as scope:
        await schedules.set_schedule(scope, "shop", cron="*/15 * * * *", timezone="Europe/Berlin")
    for column in (None, "discount_code"):
        await _run(org, column)


async def _run(org: str, column: str | None) -> None:
    """A run that has ended: well, or stopped at a column that a frozen pipeline refuses."""
    await empty_queue()
    async with org_scope(OPERATOR, org) as scope:
        started = await runs.start(scope, "shop")
    claimed = await leases.claim(started.id, "w1")
    assert claimed is not None
    result, error = StreamResult(rows=10, bytes=100), None
    if column:
        where = {"stream": "orders", "table": "orders", "column": column, "type": "text"}
        message = f"orders has a new column, {column} (text), and this pipeline is frozen."
        error = ErrorInfo(
            message=message, remedy="Accept or ignore it.", code="frozen_schema", where=where
        )
        result = StreamResult(status="failed", error=error)
    await leases.record(claimed.run_id, claimed.token, {"orders": result})
    ended = RunStatus.FAILED if error else RunStatus.SUCCEEDED
    await leases.finish(claimed.run_id, claimed.token, ended, error)


def go(page: Page, who: Member, path: str) -> None:
    enter(page, who, f"/o/{who.org}/{path}")


def test_connection_that_fails_after_an_edit_is_kept_as_it_was(page: Page, shop: Member) -> None:
    go(page, shop, "connections/shop")
    expect(page.get_by_role("heading", level=1)).to_have_text("shop")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.wait_for_url("**tab=edit")
    page.locator("#config-database").fill("no_such_database")
    page.get_by_role("button", name="Test and save").click()

    expect(announced(page, "Not saved.")).to_be_visible()
    expect(page.locator("#config-database")).to_be_focused()
    assert serious(page) == []
    page.reload()
    expect(page.locator("#config-database")).to_have_value("shop_source")

    page.get_by_role("button", name="Test and save").click()
    expect(announced(page, "Saved. The test passed.")).to_be_visible()


def test_connection_in_use_cannot_be_deleted_and_says_by_whom(page: Page, shop: Member) -> None:
    go(page, shop, "connections/shop")
    opener = page.get_by_role("button", name="Delete")
    opener.click()
    expect(page.get_by_role("dialog")).to_contain_text("shop is used by 1 pipeline: shop.")
    assert kept(page) == []
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_viewer_sees_a_connection_and_why_nothing_can_be_changed(page: Page, shop: Member) -> None:
    go(page, add_member("viewer", shop.org), "connections/shop?tab=edit")

    expect(page.get_by_text("Editors can change connections.")).to_be_visible()
    expect(page.get_by_text("shop_source")).to_be_visible()
    expect(page.get_by_role("button", name="Test")).to_have_attribute("aria-disabled", "true")


def test_edit_of_a_stream_is_told_before_it_is_saved(page: Page, shop: Member) -> None:
    go(page, shop, "pipelines/shop")
    page.get_by_role("button", name="Open orders").click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Full replace everything each run").click()
    expect(drawer.get_by_label("Full replace everything each run")).to_be_checked()
    assert kept(page) == []
    page.keyboard.press("Escape")

    expect(drawer).to_have_count(0)
    expect(page.get_by_role("button", name="Open orders")).to_be_focused()
    bar = page.get_by_label("Changes that are not saved")
    expect(bar).to_contain_text("orders will reload in full at the next run (about 10 rows)")
    expect(bar).to_contain_text("because its load mode and cursor change.")
    assert beneath(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    assert aio.run(_mode(shop.org)) is LoadMode.INCREMENTAL
    with page.expect_event("dialog") as asked:
        page.once("dialog", lambda dialog: dialog.dismiss())
        page.evaluate("setTimeout(() => location.reload())")
    assert asked.value.type == "beforeunload"
    bar.get_by_role("button", name="Save").click()

    expect(announced(page, "Saved. The next run loads them so.")).to_be_visible(timeout=30_000)
    assert aio.run(_mode(shop.org)) is LoadMode.FULL


async def _mode(org: str) -> LoadMode:
    async with org_scope(OPERATOR, org) as scope:
        return (await pipelines.get(scope, "shop")).streams[0].mode


def test_loading_a_stream_again_says_what_it_replaces_first(page: Page, shop: Member) -> None:
    go(page, shop, "pipelines/shop?tab=streams")
    page.get_by_role("button", name="Open orders").click()
    page.get_by_role("button", name="Load again from the start").click()

    asks = page.get_by_role("dialog").last
    expect(asks).to_contain_text("reads about 10 rows and replaces shop__orders when done")
    asks.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(1)


def test_refused_column_is_accepted_and_waits_no_more(page: Page, shop: Member) -> None:
    go(page, shop, "pipelines/shop")
    page.get_by_role("link", name="Review change").click()
    page.get_by_role("button", name="Accept discount_code").click()

    expect(announced(page, "1 column accepted. Takes effect at the next run.")).to_be_visible()
    expect(page.get_by_role("button", name="Accept discount_code")).to_have_count(0)
    expect(page.get_by_role("link", name="Review change")).to_have_count(0)


def test_schedule_that_is_set_stands_on_the_time_line(page: Page, shop: Member) -> None:
    go(page, shop, "pipelines/shop?tab=schedule")
    page.get_by_text("Cron", exact=True).click()
    page.get_by_label("Cron expression").fill("0 6 * *")
    expect(page.locator("#cron-error")).to_contain_text("has 4 fields")
    page.get_by_label("Cron expression").fill("30 6 * * *")
    expect(page.get_by_text("At 06:30 every day")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(announced(page, "Saved.")).to_be_visible()

    page.goto(f"/o/{shop.org}/schedules")
    expect(page.get_by_role("cell", name="At 06:30 every day")).to_be_visible()
    line = page.get_by_role("img", name="shop: 1 succeeded, 1 failed")
    expect(line).to_be_visible()
    page.get_by_role("link", name="6 h").click()
    page.wait_for_url("**span=6h")
    expect(page.get_by_role("link", name="6 h")).to_have_attribute("aria-current", "page")


def test_pipeline_is_deleted_only_by_its_name(page: Page, shop: Member) -> None:
    go(page, shop, "pipelines/spare?tab=settings")
    page.get_by_role("button", name="Delete pipeline").click()
    page.get_by_label("Type spare to confirm").fill("shop")
    page.get_by_role("button", name="Delete spare").click()
    expect(page.get_by_role("dialog")).to_contain_text("Type spare.")
    page.get_by_label("Type spare to confirm").fill("spare")
    page.get_by_role("button", name="Delete spare").click()
    page.wait_for_url("**/pipelines")

    expect(page.get_by_role("link", name="shop", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="spare", exact=True)).to_have_count(0)


def test_wizard_keeps_its_step_and_choices_over_a_reload(
    page: Page, shop: Member, shop_source: Source
) -> None:
    config, secrets = shop_source
    page.add_init_script(TELL)
    go(page, shop, "connections/new")
    the_catalog_is_searched_and_has_its_marks(page)
    page.get_by_role("button", name="PostgreSQL").click()
    page.wait_for_url("**/connections/new/postgresql?step=details")
    expect(page.locator("#secrets-password")).to_have_attribute("type", "password")
    page.locator("#name").fill("second")
    for field in ("host", "port", "database", "username"):
        page.locator(f"#config-{field}").fill(str(config[field]))
    page.locator("#secrets-password").fill(secrets["password"])
    page.get_by_role("button", name="Test and continue").click()
    page.wait_for_url("**step=streams&name=second", timeout=40_000)
    page.get_by_role("button", name="Open orders").click()
    page.get_by_label("Policy of updated_at").wait_for()
    page.get_by_label("Merge update rows by key").click()
    expect(page.get_by_label("Merge update rows by key")).to_be_checked()
    assert serious(page) == []
    page.reload()

    expect(page.get_by_role("heading", name="Streams of second")).to_be_visible()
    expect(page.get_by_label("Load mode of orders")).to_have_value("merge")
    told = {"problem_rx_state_": asdict(Problem("error", "db.acme.io did not answer."))}
    page.evaluate("([state, told]) => tell({ [state]: told })", [WizardState.get_full_name(), told])
    expect(page.get_by_role("alert")).to_contain_text("db.acme.io did not answer.")
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Continue with 1").click()
    page.wait_for_url("**step=schedule&name=second")
    page.get_by_text("Cron", exact=True).click()
    page.get_by_label("Cron expression").fill("0 6 * * 1-5")
    expect(page.get_by_text("At 06:00 on Monday through Friday")).to_be_visible()
    assert serious(page) == []


def the_catalog_is_searched_and_has_its_marks(page: Page) -> None:
    tiles, find = page.locator(".tile"), page.get_by_label("Search connectors")
    expect(find).to_be_focused()
    expect(tiles.nth(5)).to_be_visible()
    assert page.evaluate(PICTURES) == []
    find.fill("zoho")
    expect(page.get_by_text("No connector named “zoho”. Any REST API works with")).to_be_visible()
    find.fill("postgre")
    expect(tiles).to_have_text(["PostgreSQL"])


def test_leaving_a_form_with_changes_asks_first(page: Page, shop: Member) -> None:
    go(page, shop, "connections/new")
    page.get_by_role("button", name="PostgreSQL").click()
    page.locator("#config-host").fill("db.acme.io")  # while the address still follows
    page.wait_for_url("**/connections/new/postgresql?step=details")
    runs, asked = page.get_by_role("link", name="Runs"), page.get_by_role("dialog")
    for _ in range(2):
        runs.click()
        expect(asked).to_contain_text("Leave without saving?")
        asked.get_by_role("button", name="Stay").click()
        expect(page.locator("#config-host")).to_have_value("db.acme.io")

    runs.click()
    asked.get_by_role("button", name="Leave").click()
    page.wait_for_url("**/runs")


def test_back_and_forward_ask_before_a_form_with_changes_is_left(page: Page, shop: Member) -> None:
    go(page, shop, "connections/shop?tab=edit")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.wait_for_url("**/runs")
    page.evaluate("history.back()")
    page.wait_for_url("**/connections/shop?tab=edit")
    host, asked = page.locator("#config-host"), page.get_by_role("dialog")
    host.fill("db.acme.io")
    for _ in range(2):
        page.evaluate("history.forward()")
        expect(asked).to_contain_text("Leave without saving?")
        page.wait_for_url("**/connections/shop?tab=edit")
        asked.get_by_role("button", name="Stay").click()
        expect(host).to_have_value("db.acme.io")
    page.evaluate("history.forward()")
    asked.get_by_role("button", name="Leave").click()
    page.wait_for_url("**/runs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")

    page.evaluate("history.back()")
    page.wait_for_url("**/connections/shop?tab=edit")
    expect(host).not_to_have_value("db.acme.io")
    page.evaluate("history.forward()")
    page.wait_for_url("**/runs")
    expect(asked).to_have_count(0)


def test_connection_that_another_saved_meanwhile_is_shown_beside_ones_own(
    page: Page, shop: Member, shop_source: Source
) -> None:
    config, secrets = shop_source
    aio.run(_connect(shop.org, "twice", config, secrets))
    go(page, shop, "connections/twice?tab=edit")
    page.locator("#config-host").fill("mine.acme.io")
    aio.run(_reconnect(shop.org, "twice", {**config, "host": "theirs.acme.io"}))
    page.get_by_role("button", name="Test and save").click()

    said = page.get_by_role("alert")
    expect(said).to_contain_text("saved twice")
    versions = said.get_by_role("table", name="Differences").get_by_role("row")
    expect(versions.filter(has_text="Host")).to_contain_text("theirs.acme.io")
    expect(versions.filter(has_text="Host")).to_contain_text("mine.acme.io")
    assert serious(page) == []
    said.get_by_role("button", name="Take theirs").click()
    expect(page.locator("#config-host")).to_have_value("theirs.acme.io")
    expect(said).to_have_count(0)


async def _connect(org: str, name: str, config: dict[str, Any], secrets: dict[str, str]) -> None:
    async with org_scope(OPERATOR, org) as scope:
        await connections.create(scope, name, "sql_database", config, secrets)


async def _reconnect(org: str, name: str, config: dict[str, Any]) -> None:
    async with org_scope(OPERATOR, org) as scope:
        await connections.update(scope, name, config=config)


def test_streams_that_another_saved_meanwhile_are_shown_beside_ones_own(
    page: Page, shop: Member
) -> None:
    before = aio.run(_mode(shop.org))
    go(page, shop, "pipelines/shop")
    page.get_by_label("Load mode of orders").select_option("merge")
    bar = page.get_by_label("Changes that are not saved")
    expect(bar).to_contain_text("1 change.")
    aio.run(_put_mode(shop.org, LoadMode.APPEND))
    bar.get_by_role("button", name="Save").click()

    row = bar.get_by_role("table", name="Differences").get_by_role("row", name="orders")
    expect(row).to_contain_text("Append")
    expect(row).to_contain_text("Merge")
    assert serious(page) == []
    bar.get_by_role("button", name="Take theirs").click()
    expect(bar).to_have_count(0)
    expect(page.get_by_label("Load mode of orders")).to_have_value("append")
    aio.run(_put_mode(shop.org, before))


async def _put_mode(org: str, mode: LoadMode) -> None:
    """As somebody else's save does, without the staging that would be written anew."""
    async with org_scope(OPERATOR, org) as scope:
        await scope.session.execute(update(Stream).values(mode=mode))


def test_runs_stand_still_until_asked_for_and_are_retried_and_canceled_together(
    page: Page, member: Member
) -> None:
    for status in (RunStatus.FAILED, RunStatus.SUCCEEDED):
        aio.run(end_run(member.org, status, ago=timedelta(hours=1)))
    enter(page, member, f"/o/{member.org}/runs")
    rows = page.get_by_role("table", name="Runs").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Status").select_option("failed")
    page.wait_for_url("**/runs?status=failed")
    expect(rows).to_have_count(1)
    page.get_by_label(re.compile("^Select run .* of shop")).click()
    expect(page.get_by_label("Selected runs")).to_be_visible()
    assert kept(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.locator(".table-wrap").evaluate("one => one.scrollWidth - one.clientWidth") == 0
    page.get_by_label("Selected runs").get_by_role("button", name="Retry 1").click()
    expect(announced(page, "1 run queued again.")).to_be_visible()

    page.get_by_label("Status").select_option("")
    page.get_by_label("Trigger").select_option("retry")
    expect(rows).to_have_count(1)
    page.get_by_label("Select all runs of this page").click()
    page.get_by_label("Selected runs").get_by_role("button", name="Cancel 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 1 run").click()
    expect(rows.get_by_text("Canceled")).to_be_visible()

    page.get_by_label("Trigger").select_option("")
    page.get_by_label("Time").select_option("24h")
    expect(rows).to_have_count(3)
    aio.run(end_run(member.org, RunStatus.SUCCEEDED, took=timedelta(0)))
    waiting = page.get_by_role("button", name="1 new run ↑")
    expect(waiting).to_be_visible()
    expect(rows).to_have_count(3)
    waiting.click()
    expect(rows).to_have_count(4)
    expect(waiting).to_have_count(0)


def test_a_pipeline_is_renamed_and_its_address_with_it(page: Page, shop: Member) -> None:
    aio.run(add_pipeline(shop.org, "nightly"))
    go(page, shop, "pipelines/nightly?tab=settings")
    page.get_by_label("Name", exact=True).fill("every_night")
    page.get_by_role("button", name="Rename").click()
    page.wait_for_url("**/pipelines/every_night?tab=settings")
    expect(page.get_by_role("heading", level=1, name="every_night")).to_be_visible()
    expect(announced(page, "Renamed to every_night.")).to_be_visible()


def test_file_that_is_dropped_becomes_a_stream(page: Page, shop: Member) -> None:
    go(page, shop, "connections/new/filesystem?step=details")
    page.locator("#name").fill("files")
    content = b"id,amount\n1,2\n"
    page.get_by_label("Drop CSV, Parquet or JSONL here").set_input_files(
        {"name": "Invoices 11.csv", "mimeType": "text/csv", "buffer": content}
    )

    expect(page.get_by_role("button", name="Remove Invoices 11.csv")).to_be_visible()
    expect(page.locator("#config-streams")).to_have_value(re.compile('"name": "invoices_11"'))
    expect(page.locator("#config-bucket_url")).to_have_value("uploads://")
    page.get_by_role("button", name="Save without testing").dblclick()  # makes one
    page.wait_for_url("**/connections/files")
    expect(page.get_by_text("Never tested", exact=True)).to_be_visible()


PAGES = (
    *(f"connections/shop?tab={tab}" for tab in ("overview", "edit", "streams")),
    *(f"pipelines/shop?tab={tab}" for tab in ("streams", "runs", "changes")),
    *(f"pipelines/shop?tab={tab}" for tab in ("schedule", "settings")),
    *("schedules", "connections/new/filesystem?step=details"),
)


def test_pages_are_accessible_and_fit(page: Page, shop: Member) -> None:
    go(page, shop, PAGES[0])
    for path in PAGES:
        page.goto(f"/o/{shop.org}/{path}")
        page.locator(".tabs, .table, .steps").first.wait_for()
        drawn(page)

        assert (path, kept(page) + without_colors(page) + beneath(page)) == (path, [])


def test_a_link_that_was_followed_outdoes_an_answer_that_comes_late(
    page: Page, shop: Member
) -> None:
    go(page, shop, "pipelines")
    drawn(page)
    page.evaluate("document.querySelector('[data-query]').dataset.query = 'status=failed'")
    page.wait_for_url("**/pipelines?status=failed")

    page.evaluate("history.pushState(history.state, '', '?status=paused')")
    page.evaluate("document.querySelector('[data-query]').dataset.query = 'status=running'")

    assert page.evaluate("location.search") == "?status=paused"
