"""Alerts, settings, account, the operators' pages and the frame around them, in a browser."""

from __future__ import annotations

import re
import tarfile

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from etlfabric_dagster import aio
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Membership, User
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import alert_watch, alerts, erasures, orgs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui import strings
from etlfabric_ui.state.operator import OperatorOrgsState
from tests.browser.conftest import (
    CONTACT,
    Member,
    Panel,
    Witness,
    add_member,
    copied,
    enter,
    sign_in,
)
from tests.browser.promises import TELL, announced, drawn, kept
from tests.test_services.ended_runs import end_run


async def _fill(slug: str) -> None:
    """An org with a rule, a channel, and a pipeline that fails."""
    async with org_scope(OPERATOR, slug) as scope:
        await alerts.create_channel(scope, "team", alerts.ChannelKind.EMAIL, to=["t@example.com"])
        await alerts.put_rule(scope, "failures", {"channels": ["team"]})
    await end_run(slug, RunStatus.SUCCEEDED, rows=1204, size=84_000)
    await alert_watch.evaluate_run(await end_run(slug, RunStatus.FAILED))


async def _promote(email: str) -> None:
    async with get_session() as session:
        await session.execute(update(User).where(User.email == email).values(is_operator=True))


@pytest.fixture
def owner(member: Member) -> Member:
    """The owner of an org in which something failed."""
    aio.run(_fill(member.org))
    return member


@pytest.fixture
def operator(panel: Panel) -> Member:
    """An operator with an org of their own."""
    member = add_member("owner")
    aio.run(_promote(member.email))
    return member


def test_member_is_invited_by_a_link_and_their_role_is_changed(page: Page, member: Member) -> None:
    other = add_member("viewer", member.org)
    sign_in(page, member)
    page.get_by_role("link", name="Settings").click()
    page.wait_for_url("**/settings/members")
    page.get_by_label("Email, one or several").fill("sam@example.com, kim@example.com")
    page.get_by_label("Role", exact=True).select_option("editor")
    page.get_by_role("button", name="Invite").dblclick()  # sends one

    expect(announced(page, "Mail is not set up on this install.")).to_be_visible()
    expect(page.get_by_text(re.compile("/invite/"))).to_have_count(2)
    for name in ("sam", "kim"):
        expect(page.get_by_text(f"Link for {name}@example.com")).to_be_visible()
    invitations = page.get_by_role("table", name="Invitations")
    expect(invitations.get_by_role("cell", name="sam@example.com")).to_have_count(1)
    page.get_by_label(f"Role of {other.email}").select_option("editor")
    expect(announced(page, f"{other.email} is editor now.")).to_be_visible()
    page.get_by_role("button", name=f"Remove {other.email}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_label(f"Role of {other.email}")).to_have_count(0)
    page.get_by_label(f"Role of {member.email}").select_option("viewer")
    expect(page.get_by_role("alert")).to_contain_text("An org needs at least one owner.")


def test_token_is_shown_once_copied_and_revoked(page: Page, member: Member) -> None:
    enter(page, member, f"/o/{member.org}/settings/tokens")
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_label("May").select_option("read")
    page.get_by_role("button", name="Create token").dblclick()  # makes one
    expect(announced(page, "Your new token")).to_be_visible()
    secret = page.locator("code.snippet")
    expect(secret).to_have_text(re.compile("etlf_"))
    shown = secret.inner_text()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert copied(page) == shown
    page.reload()
    expect(page.get_by_role("cell", name="nightly", exact=True)).to_be_visible()
    expect(secret).to_have_count(0)

    assert shown not in page.content()
    page.get_by_role("button", name="Revoke nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No tokens.")).to_be_visible()


def test_time_zone_of_the_org_is_the_one_that_times_are_told_in(page: Page, owner: Member) -> None:
    enter(page, owner, f"/o/{owner.org}/settings/general")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Save").click()
    expect(announced(page, "Saved.")).to_be_visible()
    page.goto(f"/o/{owner.org}/runs")

    expect(page.locator("time").first).to_have_attribute("title", re.compile("CE(S)?T"))
    page.get_by_role("button", name="You").click()
    expect(page.get_by_text("Times are in Europe/Berlin")).to_be_visible()
    assert kept(page) == []


def test_audit_log_is_filtered_downloaded_and_verified(page: Page, owner: Member) -> None:
    enter(page, owner, f"/o/{owner.org}/settings/audit")
    expect(page.get_by_text("Chain verified")).to_be_visible()
    page.get_by_label("What").select_option("alerts")
    page.wait_for_url("**/audit?what=alerts")
    expect(page.get_by_text("Created org")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()

    assert download.value.path().read_text().startswith("at,actor,action")


def test_rolled_bi_password_is_on_the_page_once(page: Page, member: Member) -> None:
    enter(page, member, f"/o/{member.org}/settings/bi-access")
    page.get_by_role("button", name="Roll password").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Roll password").click()
    expect(announced(page, "The new password")).to_be_visible()
    secret = page.locator("code.snippet").inner_text()
    page.reload()
    expect(page.get_by_role("heading", name="Snippets")).to_be_visible()
    expect(page.locator("code.snippet")).to_have_count(0)

    assert secret not in page.content()


def test_all_is_exported_and_erase_needs_the_slug_typed(page: Page, member: Member) -> None:
    enter(page, member, f"/o/{member.org}/settings/danger-zone")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export everything").click()
    assert download.value.suggested_filename == f"{member.org}.tar.gz"
    with tarfile.open(download.value.path()) as archive:
        assert f"{member.org}/org.json" in archive.getnames()
    page.get_by_role("button", name="Erase org").first.click()
    final = page.get_by_role("dialog").get_by_role("button", name="Erase org")
    expect(final).to_have_attribute("aria-disabled", "true")
    page.get_by_label(f"Type {member.org} to confirm.").fill(member.org)
    expect(final).to_have_attribute("aria-disabled", "false")
    final.click()
    expect(announced(page, "is closed and being erased")).to_be_visible()

    assert member.org in {slug for _, slug in aio.run(erasures.requested())}
    aio.run(erasures.erase(OPERATOR, member.org))


def test_viewer_sees_each_control_with_the_reason(page: Page, member: Member) -> None:
    viewer = add_member("viewer", member.org)
    enter(page, viewer, f"/o/{member.org}/settings/members")
    invite = page.get_by_role("button", name="Invite")

    expect(invite).to_have_attribute("aria-disabled", "true")
    expect(invite).to_have_attribute("title", re.compile(rf"Ask {member.email} \(owner\)"))
    page.goto(f"/o/{member.org}/settings/audit")
    expect(page.get_by_role("alert")).to_contain_text("Admins can")


def test_alert_is_muted_with_a_way_back_and_a_channel_is_tried(page: Page, owner: Member) -> None:
    sign_in(page, owner)
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_text("db.acme.io refused the login.")).to_be_visible()
    page.get_by_role("button", name="Mute 24 h").click()
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Mute 24 h")).to_be_visible()

    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("button", name="New rule").click()
    expect(page.get_by_role("button", name="Save rule")).to_be_visible()  # a channel has a name too
    page.get_by_label("Name", exact=True).first.fill("late")
    page.get_by_label("Late data").check()
    page.get_by_label("Late after hours").fill("6")
    page.get_by_label("team", exact=True).check()
    page.get_by_role("button", name="Save rule").dblclick()  # makes one
    expect(announced(page, "Rule late saved.")).to_be_visible()
    expect(page.get_by_text("stale for 6 h 00 min")).to_have_count(1)


def test_keys_palette_and_titles(page: Page, member: Member) -> None:
    sign_in(page, member)
    expect(page).to_have_title("Overview · Browser Inc.")
    page.locator("h1").focus()
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/alerts")
    expect(page.locator("h1")).to_be_focused()
    expect(page).to_have_title("Alerts · Browser Inc.")
    page.keyboard.press("Control+k")
    page.keyboard.type("sett")
    expect(page.locator("#palette-list li").first).to_contain_text("Settings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/members")
    expect(page.locator("h1")).to_have_text("Settings")


def test_switching_the_org_keeps_the_kind_of_page(page: Page, member: Member) -> None:
    other = add_member("owner")
    aio.run(_join(member.email, other.org))
    enter(page, member, f"/o/{member.org}/runs")
    page.get_by_role("button", name="Switch org").click()
    menu = page.get_by_role("menu").bounding_box()
    assert menu
    assert menu["height"] < 300, "as high as what it offers"
    page.get_by_role("menuitem", name=re.compile(other.org)).click()

    page.wait_for_url(f"**/o/{other.org}/runs")
    expect(page.get_by_text("No runs yet.")).to_be_visible()


async def _join(email: str, slug: str) -> None:
    org = await orgs.get(OPERATOR, slug)
    async with get_session() as session:
        user_id = (await session.scalars(select(User.id).where(User.email == email))).one()
        session.add(Membership(org_id=org.id, user_id=user_id, role="viewer"))


def test_unknown_address_is_told_in_our_words(page: Page, witness: Witness) -> None:
    page.goto("/no/such/page")

    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing here")
    witness.complaints[:] = [said for said in witness.complaints if "404" not in said]


def test_account_names_this_device_and_signs_out_everywhere(page: Page, member: Member) -> None:
    sign_in(page, member)
    page.goto("/account")
    page.get_by_label("Name", exact=True).fill("Pat")
    page.get_by_role("button", name="Save").click()
    expect(announced(page, "Saved.")).to_be_visible()
    expect(page.get_by_text("Chrome on Linux")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/login")
    page.goto("/account")
    page.wait_for_url("**/login?next=*")


def test_operator_suspends_with_the_consequences_and_enters(
    page: Page, operator: Member, owner: Member
) -> None:
    enter(page, operator, f"/operator/orgs?q={owner.org}")
    page.get_by_role("link", name="Browser Inc.").click()
    page.wait_for_url(f"**/operator/orgs/{owner.org}")
    page.get_by_role("button", name="Suspend").first.click()
    expect(page.get_by_text("Data is kept.")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(announced(page, "All its data is kept.")).to_be_visible()
    page.get_by_role("link", name="Enter").click()
    page.wait_for_url(f"**/o/{owner.org}/overview")

    expect(page.get_by_text("You are in Browser Inc. as operator.")).to_be_visible()
    expect(page.get_by_text("An operator suspended Browser Inc.")).to_be_visible()
    page.goto(f"/o/{owner.org}/pipelines/shop")
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("alert").get_by_role("button", name="Copy contact").last.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert copied(page) == CONTACT


def test_quota_that_an_operator_sets_is_the_one_that_usage_is_held_against(
    page: Page, operator: Member, owner: Member
) -> None:
    enter(page, operator, f"/operator/orgs/{owner.org}")
    expect(page.get_by_text("Used: 1,204 rows this month")).to_be_visible()
    page.get_by_label("Rows a month").fill("1500")
    page.get_by_label("Storage in GB").fill("2")
    page.get_by_role("button", name="Save quota").click()
    expect(announced(page, "Saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Rows a month")).to_have_value("1,500")
    expect(page.get_by_label("Storage in GB")).to_have_value("2")

    page.goto(f"/o/{owner.org}/settings/usage")
    expect(page.get_by_text("1,204 of 1,500 rows this month")).to_be_visible()
    page.goto(f"/operator/orgs/{owner.org}")
    page.get_by_label("Rows a month").fill("many")
    page.get_by_role("button", name="Save quota").click()
    expect(page.get_by_role("alert")).not_to_be_empty()


def test_operators_see_that_no_org_is_found_and_how_it_looks_without_any(
    page: Page, operator: Member
) -> None:
    page.add_init_script(TELL)
    enter(page, operator, "/operator/orgs?q=zoho")
    expect(page.get_by_text(strings.NO_MATCH.format(noun="orgs"))).to_be_visible()
    find = page.get_by_label("Search orgs")
    expect(find).to_have_value("zoho")
    page.get_by_role("button", name=strings.CLEAR_FILTERS).click()
    expect(page.get_by_role("table", name="Orgs")).to_be_visible()
    expect(find).to_have_value("")

    state = OperatorOrgsState.get_full_name()  # other tests have orgs
    page.evaluate("(state) => tell({ [state]: { exists_rx_state_: false } })", state)
    expect(page.locator(".empty")).to_contain_text(strings.NO_ORG)
    expect(page.get_by_role("link", name=strings.CREATE_ORG)).to_be_visible()
    assert kept(page) == []


def test_fleet_tells_the_queue_and_why_it_cannot_tell_more(page: Page, operator: Member) -> None:
    enter(page, operator, "/operator/fleet")

    expect(page.get_by_text("leases overdue")).to_be_visible()
    expect(page.get_by_text("was not started by “up” on this machine")).to_be_visible()
    expect(page.get_by_role("link", name="Open Dagster")).to_be_visible()


def test_nobody_else_sees_the_operators_pages(page: Page, member: Member) -> None:
    enter(page, member, "/operator/orgs")

    expect(page.get_by_role("alert")).to_contain_text("Only operators")


def test_token_of_the_session_is_in_no_frame_of_the_socket(page: Page, member: Member) -> None:
    frames: list[str] = []

    def heard(frame: str | bytes) -> None:
        frames.append(frame if isinstance(frame, str) else frame.decode("latin-1"))

    page.on("websocket", lambda socket: socket.on("framereceived", heard))
    sign_in(page, member)
    expect(page.get_by_text(member.email)).to_be_visible()
    token = next(one["value"] for one in page.context.cookies() if one["name"] == "etlfabric")

    assert frames
    assert not any(token in frame for frame in frames)


def test_rules_of_alerts_are_accessible_and_fit_a_phone(page: Page, owner: Member) -> None:
    enter(page, owner, f"/o/{owner.org}/alerts?tab=rules")
    drawn(page)

    assert kept(page) == []
