"""A connection, a pipeline and the schedules, looked at and changed in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from etlfabric_dagster import aio
from etlfabric_dagster.config import Settings
from etlfabric_dagster.services import connections, pipelines
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.browser.conftest import Member, add_member, sign_in
from tests.browser.test_sign_in import serious

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
    await pipelines.create(OPERATOR, org, "shop", connection="shop")


def go(page: Page, who: Member, path: str) -> None:
    sign_in(page, who)
    page.goto(f"/o/{who.org}/{path}")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_connection_that_fails_after_an_edit_is_kept_as_it_was(page: Page, shop: Member) -> None:
    go(page, shop, "connections/shop")
    expect(page.get_by_role("heading", level=1)).to_have_text("shop")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.wait_for_url("**tab=edit")
    page.locator("#config-database").fill("no_such_database")
    page.get_by_role("button", name="Test and save").click()

    expect(page.get_by_text("Not saved.")).to_be_visible()
    expect(page.locator("#config-database")).to_be_focused()
    assert serious(page) == []
    page.reload()
    expect(page.locator("#config-database")).to_have_value("shop_source")

    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_text("Saved. The test passed.")).to_be_visible()


def test_connection_in_use_cannot_be_deleted_and_says_by_whom(page: Page, shop: Member) -> None:
    go(page, shop, "connections/shop")
    opener = page.get_by_role("button", name="Delete")
    opener.click()
    expect(page.get_by_role("dialog")).to_contain_text("shop is used by 1 pipeline: shop.")
    assert serious(page) == []
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_viewer_sees_a_connection_and_why_nothing_can_be_changed(page: Page, shop: Member) -> None:
    go(page, add_member("viewer", shop.org), "connections/shop?tab=edit")

    expect(page.get_by_text("Editors can change connections.")).to_be_visible()
    expect(page.get_by_text("shop_source")).to_be_visible()
    expect(page.get_by_role("button", name="Test")).to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    "path", ["connections/shop", "connections/shop?tab=edit", "connections/shop?tab=streams"]
)
def test_page_is_accessible_and_fits(page: Page, shop: Member, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    go(page, shop, path)
    page.locator(".tabs").wait_for()

    assert serious(page) == []
    assert fits(page)
    assert page.locator("h1").count() == 1
