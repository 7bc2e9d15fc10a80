"""Overview and lists: what they say of the org's rows, of none, and of a filter that finds none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from playwright.sync_api import Page, expect
from sqlalchemy import update

from etlfabric_dagster import aio, clock
from etlfabric_dagster.models import Connection
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream, Discovery
from etlfabric_dagster.services import connections, runs, schedules
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui import formats, strings
from etlfabric_ui.copy import models as copy
from tests.browser.conftest import Member, enter
from tests.browser.promises import CLIPPED, NARROW, WIDE, drawn, follow, sideways
from tests.test_services.ended_runs import add_pipeline, end_run

MOST_NODES = 5_000
STREAMS = 1_000
CONFIG = {"dialect": "postgresql", "host": "db.acme.io", "database": "shop", "username": "r"}
EMPTY = {
    "connections": strings.NO_CONNECTIONS,
    "pipelines": strings.NO_PIPELINES,
    "runs": strings.NO_RUNS,
    "dbt-models": copy.NO_FILES,
    "lineage": strings.NO_LINEAGE,
    "data": strings.NO_DATA,
    "schedules": strings.NO_SCHEDULES,
    "alerts": strings.NO_ALERTS,
    "alerts?tab=history": strings.NO_ALERTS,
    "settings/tokens": strings.NO_TOKENS,
    "settings/usage": strings.NO_USAGE,
    "overview": strings.FIRST_SOURCE,
}
EMPTY_OF_ONE = {
    "connections/shop?tab=streams": strings.NEVER_FOUND,
    "pipelines/shop?tab=streams": strings.LOADS_NOTHING,
    "pipelines/shop?tab=runs": strings.NO_RUNS,
    "pipelines/shop?tab=changes": strings.NO_CHANGES,
}
FILTERED = {
    "connections?q=zoho": "connections",
    "pipelines?q=zoho": "pipelines",
    "pipelines?status=failing": "pipelines",
    "runs?status=failed": "runs",
    "settings/audit?what=bi": "events",
}
"""What is looked for and not there → the noun of what is listed."""


def test_overview_says_what_the_orgs_rows_say(page: Page, member: Member) -> None:
    aio.run(_furnish(member.org))
    enter(page, member, f"/o/{member.org}/overview")
    drawn(page)
    main = page.locator("main")
    expect(main.get_by_role("status").first).to_have_text("1 pipeline is failing. 1 is fine.")
    need = page.locator(".needs li")
    expect(need).to_have_count(1)
    for said in ("crm", "failing for 3 h", "db.acme.io refused the login."):
        expect(need).to_contain_text(said)

    figures = {"Oldest mart": "—", "Success, 7 days": "50.0%", "Rows today": "20.6 k"}
    for label, value in {**figures, "Now": "0 running"}.items():
        figure = page.locator(".figure").filter(has_text=label)
        expect(figure.locator(".value")).to_have_text(value)
    expect(page.locator(".figure").filter(has_text="Now")).to_contain_text("1 queued")

    today = formats.day(clock.now())
    chart = page.locator(".bars")
    assert (chart.get_attribute("aria-label") or "").endswith(f"on average, highest {today}")
    bars = chart.locator("span")
    expect(bars).to_have_count(30)
    expect(bars.last).to_have_attribute("title", f"{today} · {formats.plural(20_557, 'row')}")
    assert bars.last.evaluate("one => one.firstChild.offsetHeight / one.clientHeight") == 1
    expect(bars.first).to_have_attribute("title", f"{_month_ago()} · no runs")
    coming = page.locator("section").filter(has_text="Next runs").get_by_role("listitem")
    expect(coming).to_have_count(1)
    expect(coming).to_contain_text("shop")

    need.get_by_role("link", name="crm").click()
    page.wait_for_url("**/runs?pipeline=crm")
    expect(page.get_by_role("table", name="Runs").locator("tbody tr")).to_have_count(1)


def _month_ago() -> str:
    return formats.day(clock.now() - timedelta(days=29))


async def _furnish(org: str) -> None:
    """A pipeline that is well and about to run, and one that fails."""
    await end_run(org, RunStatus.SUCCEEDED, rows=20_557)
    await end_run(org, RunStatus.FAILED, pipeline="crm", ago=timedelta(hours=3))
    async with org_scope(OPERATOR, org) as scope:
        await schedules.set_schedule(scope, "shop", cron="0 6 * * *", timezone="UTC")
        await runs.start(scope, "shop")


def test_each_list_says_that_it_is_empty_and_that_a_filter_finds_nothing(
    page: Page, member: Member
) -> None:
    base = f"/o/{member.org}"
    enter(page, member, f"{base}/overview")
    for path, said in EMPTY.items():
        follow(page, f"{base}/{path}")
        expect(page.locator("main .empty").filter(has_text=said)).to_be_visible()
    follow(page, f"{base}/alerts?tab=rules")
    for said in (strings.NO_RULES, strings.NO_CHANNELS):
        expect(page.locator("main .empty").filter(has_text=said)).to_be_visible()

    aio.run(_add_one_of_each(member.org))
    for path, said in EMPTY_OF_ONE.items():
        follow(page, f"{base}/{path}")
        expect(page.locator("main .empty").filter(has_text=said)).to_be_visible()
    aio.run(end_run(member.org, RunStatus.SUCCEEDED))
    for path, noun in FILTERED.items():
        follow(page, f"{base}/{path}")
        expect(page.get_by_text(strings.NO_MATCH.format(noun=noun))).to_be_visible()
        page.get_by_role("button", name=strings.CLEAR_FILTERS).click()
        expect(page.get_by_role("table").first).to_be_visible()


async def _add_one_of_each(org: str) -> None:
    await add_pipeline(org)
    async with org_scope(OPERATOR, org) as scope:
        await connections.create(scope, "shop", "sql_database", CONFIG, {"password": "pw"})


def test_a_thousand_streams_with_long_names_are_paged_filtered_and_fit(
    page: Page, member: Member
) -> None:
    aio.run(_discover_many(member.org))
    where = "connections/new/postgresql?step=streams&name=shop"
    enter(page, member, f"/o/{member.org}/{where}")
    rows = page.get_by_role("table", name="Streams").locator("tbody tr")
    expect(rows).to_have_count(50)
    expect(page.get_by_text("1,000 of 1,000 shown, 0 selected")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") <= MOST_NODES
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        assert (width, sideways(page, width), page.evaluate(CLIPPED)) == (width, [], [])
    page.set_viewport_size({"width": WIDE, "height": 800})

    find = page.get_by_label("Name or column")
    find.press_sequentially("_0417")
    expect(rows).to_have_count(1)
    expect(find).to_have_value("_0417")
    expect(rows).to_contain_text(_long(417))
    page.get_by_role("button", name="Select all 1", exact=True).click()
    expect(page.get_by_text("1 of 1,000 shown, 1 selected")).to_be_visible()
    find.fill("zoho")
    expect(page.get_by_text(strings.NO_MATCH.format(noun="streams"))).to_be_visible()
    page.get_by_role("button", name=strings.CLEAR_FILTERS).click()
    expect(rows).to_have_count(50)
    expect(find).to_have_value("")
    page.get_by_role("button", name="Next", exact=True).click()
    expect(rows.first).to_contain_text(_long(50))
    expect(page.get_by_role("button", name="Continue with 1", exact=True)).to_be_visible()


def _long(number: int) -> str:
    """60 characters."""
    return f"{'orders_of_every_customer_in_all_regions_':_<55}_{number:04}"


async def _discover_many(org: str) -> None:
    kinds = (("id", "bigint"), ("updated_at", "timestamptz"), ("note", "text"))
    given: dict[str, Any] = {
        "columns": tuple(ColumnInfo(name=name, type=kind) for name, kind in kinds),
        "primary_key": ("id",),
        "cursor_candidates": ("updated_at",),
        "row_estimate": 312_000,
    }
    found = tuple(DiscoveredStream(name=_long(number), **given) for number in range(STREAMS))
    async with org_scope(OPERATOR, org) as scope:
        await connections.create(scope, "shop", "sql_database", CONFIG, {"password": "pw"})
        stored = Discovery(streams=found).model_dump(mode="json")
        await scope.session.execute(update(Connection).values(discovery=stored))
