"""Signing in and out, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Member, Panel, Witness, sign_in
from tests.browser.promises import drawn, looks

IS_ALIVE = """() => Object.keys(document.querySelector('h1') || {})
  .some((key) => key.startsWith('__reactFiber'))"""
"""Whether React has taken the served page over."""


def test_sign_in_leads_to_the_overview_of_ones_org(page: Page, member: Member) -> None:
    sign_in(page, member)

    expect(page).to_have_url(f"{page.url.split('/o/')[0]}/o/{member.org}/overview")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_text(member.email)).to_be_visible()


def test_a_wrong_password_says_so_below_the_form(
    page: Page, member: Member, witness: Witness
) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("Email or password is wrong.")
    # Chromium itself reports the refused request
    witness.complaints[:] = [said for said in witness.complaints if "401" not in said]


def test_an_empty_form_marks_and_focuses_the_first_field(page: Page, panel: Panel) -> None:
    page.goto("/login")
    page.get_by_role("button", name="Sign in").click()

    email = page.get_by_label("Email")
    expect(email).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#email-error")).to_have_text("Fill this in.")


def test_a_page_of_the_panel_asks_a_stranger_to_sign_in_and_brings_them_back(
    page: Page, member: Member
) -> None:
    page.goto(f"/o/{member.org}/overview?since=7d")
    page.wait_for_url("**/login?next=*")

    assert f"next=%2Fo%2F{member.org}%2Foverview%3Fsince%3D7d" in page.url


def test_after_signing_out_the_session_is_over_everywhere(
    page: Page, member: Member, witness: Witness
) -> None:
    sign_in(page, member)
    cookies = page.context.cookies()
    page.get_by_role("button", name="You").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/login")

    page.context.add_cookies(cookies)  # a copy somebody kept
    page.goto(f"/o/{member.org}/overview")
    page.wait_for_url("**/login?next=*")


def test_another_org_reads_like_a_missing_one(page: Page, member: Member) -> None:
    sign_in(page, member)
    page.goto("/o/no_such_org/overview")

    expect(page.get_by_role("alert")).to_contain_text("Nothing here.")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_page_is_accessible_and_fits(page: Page, width: int, scheme: str) -> None:
    page.goto("/login")
    drawn(page)

    assert looks(page, scheme, width) == []
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('14px Inter'))")


def test_focus_follows_the_heading_when_the_address_changes_before_the_page(page: Page) -> None:
    page.goto("/login")
    page.wait_for_function(IS_ALIVE)  # React repairs what is changed before
    page.evaluate("history.pushState({}, '', '/signup')")
    page.evaluate("document.querySelector('h1').after(document.createElement('i'))")
    expect(page.locator("h1")).to_be_focused()

    page.locator("h1").evaluate("(old) => old.replaceWith(old.cloneNode(true))")

    expect(page.locator("h1")).to_be_focused()
