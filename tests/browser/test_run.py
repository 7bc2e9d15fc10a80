"""One run, watched in a browser: its streams as they load, how it ends, and what one can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster import aio, clock, storage
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import User
from etlfabric_dagster.schemas.runs import (
    ErrorInfo,
    LogLine,
    NodeResult,
    RunOut,
    RunStatus,
    StreamResult,
)
from etlfabric_dagster.services import leases, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.browser.conftest import Member, enter
from tests.browser.promises import MOVING, drawn, serious
from tests.test_services.ended_runs import empty_queue
from tests.test_services.loaded import add_shop

MOST_SHIFT = 0.1
LOADING = StreamResult(status="running", rows=1_203)
REFUSED = ErrorInfo(
    message="db.acme.io refused the login of “reader”. The password is wrong.",
    remedy="Check both, then test again.",
    code="login_refused",
)
WATCHED = """() => { window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
  }).observe({ type: 'layout-shift' }); }"""


@dataclass
class Going:
    """A run that a worker holds, as the worker tells it."""

    org: str
    org_id: UUID
    id: UUID
    token: UUID

    @property
    def path(self) -> str:
        """Its page."""
        return f"/o/{self.org}/runs/{self.id}"

    def tell(self, nodes: dict[str, NodeResult] | None = None, **streams: StreamResult) -> None:
        """How its parts stand."""
        assert aio.run(leases.record(self.id, self.token, streams, nodes))

    def log(self, *said: str) -> None:
        """Lines of its first attempt."""
        lines = [LogLine(at=clock.now(), level="info", message=one) for one in said]
        storage.append_log(self.org_id, self.id, 1, lines)

    def end(self, status: RunStatus, error: ErrorInfo | None = None) -> None:
        """Its verdict."""
        assert aio.run(leases.finish(self.id, self.token, status, error))

    def asked_to_stop(self) -> bool:
        """What its worker hears with the next beat."""
        return aio.run(leases.heartbeat(self.id, self.token)).cancel_requested

    def dagster_ids(self) -> list[str]:
        """The runs in Dagster that its attempts are."""
        return [str(one.dagster_run_id) for one in aio.run(_stored(self.org, self.id)).attempts]


async def _stored(org: str, run_id: UUID) -> RunOut:
    async with org_scope(OPERATOR, org) as scope:
        return await runs.get(scope, run_id)


@pytest.fixture
def going(member: Member) -> Going:
    """A run of two streams that has just begun."""
    return aio.run(_begin(member.org))


async def _begin(org: str) -> Going:
    await add_shop(org, customers=(), orders=())
    await empty_queue()
    async with org_scope(OPERATOR, org) as scope:
        started = await runs.start(scope, "shop")
        org_id = scope.org_id
    claimed = await leases.claim(started.id, "w1")
    assert claimed is not None
    assert claimed.run_id == started.id
    return Going(org, org_id, started.id, claimed.token)


async def _promote(email: str) -> None:
    async with get_session() as session:
        await session.execute(update(User).where(User.email == email).values(is_operator=True))


def test_streams_tell_how_far_they_are_and_nothing_jumps_or_turns_that_should_not(
    page: Page, member: Member, going: Going
) -> None:
    page.emulate_media(reduced_motion="no-preference")
    enter(page, member, going.path)
    drawn(page)
    expect(page).to_have_title("Running · shop")
    customers, orders = (
        page.get_by_role("row").filter(has_text=n) for n in ("customers", "orders")
    )
    expect(orders).to_contain_text("—")
    turning = page.locator("main .running > svg")
    assert page.evaluate(MOVING) != [], "the icon of what runs turns"
    page.emulate_media(reduced_motion="reduce")
    expect(turning.first).to_be_visible()
    assert page.evaluate(MOVING) == []

    page.evaluate("document.fonts.ready")
    page.evaluate(WATCHED)
    going.tell(customers=StreamResult(rows=12, seconds=1), orders=LOADING)
    expect(orders).to_contain_text("1,203")
    expect(customers.locator(".succeeded")).to_be_visible()
    expect(page.get_by_text("Load 1 of 2")).to_be_visible()
    going.log(*(f"{n},000 rows read" for n in range(1, 60)))
    expect(page.get_by_text("59,000 rows read")).to_be_visible()
    going.tell(orders=StreamResult(status="running", rows=20_557))
    expect(orders).to_contain_text("20,557")
    said = page.locator("main").get_by_role("status").first
    expect(said).to_contain_text("Running for")
    going.tell(
        {"stg_orders": NodeResult(status="success")}, orders=StreamResult(rows=41_000, seconds=3)
    )
    going.end(RunStatus.SUCCEEDED)
    expect(page).to_have_title("Succeeded · shop")
    expect(said).to_contain_text("41,012 rows in")
    expect(page.locator("main .running")).to_have_count(0)
    shifted = page.evaluate("window.shifted")
    assert shifted < MOST_SHIFT

    search = page.get_by_label("Search the log")
    search.fill("nobody wrote this")
    page.get_by_text("No lines match these filters.").wait_for()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_text("59,000 rows read")).to_be_visible()
    expect(search).to_have_value("")


def test_failure_stands_on_top_with_its_remedy_and_is_retried(
    page: Page, member: Member, going: Going
) -> None:
    enter(page, member, going.path)
    drawn(page)
    failed = StreamResult(status="failed", error=REFUSED)
    going.tell(customers=StreamResult(rows=12, seconds=1), orders=failed)
    going.end(RunStatus.FAILED, REFUSED)

    said = page.locator("main").get_by_role("alert")
    expect(said).to_contain_text(REFUSED.message)
    expect(said).to_contain_text(REFUSED.remedy)
    expect(page).to_have_title("Failed · shop")
    expect(page.locator("main").get_by_role("status").first).to_contain_text("· orders")
    assert serious(page) == []
    said.get_by_role("link", name="Edit credentials").click()
    page.wait_for_url("**/connections/shop?*tab=edit*")
    page.go_back()
    said.get_by_role("button", name="Retry").dblclick()  # makes one
    page.wait_for_url(lambda url: "/runs/" in url and str(going.id) not in url)
    expect(page).to_have_title("Queued · shop")
    expect(page.get_by_text("Waiting for a free worker")).to_be_visible()
    assert aio.run(_count(member.org)) == 2


async def _count(org: str) -> int:
    async with org_scope(OPERATOR, org) as scope:
        return len((await runs.list_runs(scope)).items)


def test_one_run_is_canceled_after_a_question_and_the_page_says_so(
    page: Page, member: Member, going: Going
) -> None:
    enter(page, member, going.path)
    drawn(page)
    opener = page.get_by_role("button", name="Cancel run")
    opener.click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("Cancel this run?")
    asked.get_by_role("button", name="Keep running").click()
    expect(asked).to_have_count(0)
    assert not going.asked_to_stop()
    opener.click()
    asked.get_by_role("button", name="Cancel run").click()
    expect(asked).to_have_count(0)
    until_its_worker_notices(going)
    going.end(RunStatus.CANCELED)

    expect(page).to_have_title("Canceled · shop")
    expect(page.locator("main").get_by_role("status").first).to_contain_text("Canceled.")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.1), reraise=True)
def until_its_worker_notices(going: Going) -> None:
    assert going.asked_to_stop()


def test_operators_are_led_to_the_same_run_in_dagster_and_nobody_else_is(
    page: Page, member: Member, going: Going
) -> None:
    link = page.get_by_role("link", name="Open in Dagster")
    enter(page, member, going.path)
    drawn(page)
    expect(page.get_by_role("button", name="Cancel run")).to_be_visible()
    expect(link).to_have_count(0)

    aio.run(_promote(member.email))
    page.reload()
    (its_id,) = going.dagster_ids()
    expect(link).to_have_attribute("href", re.compile(rf"^http://localhost:\d+/runs/{its_id}$"))
