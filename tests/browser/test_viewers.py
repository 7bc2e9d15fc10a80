"""What a viewer sees of what they may not do, and what the server says to who tries."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from benchmarks.ui_socket import PanelSocket
from etlfabric_dagster import aio
from etlfabric_dagster.schemas.runs import RunStatus
from etlfabric_dagster.services import runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui.state.run import RunState
from tests.browser.conftest import Member, Panel, add_member, cookie_of, sign_in
from tests.test_services.ended_runs import end_run


def test_a_viewer_sees_why_they_may_not_act_and_is_refused_by_the_server(
    page: Page, panel: Panel, member: Member
) -> None:
    run_id = str(aio.run(end_run(member.org, RunStatus.SUCCEEDED)))
    sign_in(page, add_member("viewer", member.org))
    path = f"/o/{member.org}/runs/{run_id}"
    page.goto(path)

    retry = page.get_by_role("button", name="Retry")
    expect(retry).to_have_attribute("aria-disabled", "true")
    expect(retry).to_have_attribute("title", "Editors can start runs.")
    page.goto(f"/o/{member.org}/runs")
    tick = page.get_by_label(re.compile("^Select run"))
    expect(tick).to_have_attribute("title", "Editors can retry and cancel runs.")
    tick.focus()
    page.keyboard.press("Space")
    expect(tick).to_have_attribute("aria-disabled", "true")
    expect(tick).not_to_be_checked()
    answer = aio.run(raise_retry(panel, cookie_of(page), path, member.org, run_id))
    assert "Editors can do this; you are viewer" in answer
    assert aio.run(count_runs(member.org)) == 1


async def raise_retry(panel: Panel, cookie: str, path: str, org: str, run_id: str) -> str:
    """The event, as a client sends it that cares nothing for the page."""
    query = {"org_slug": org, "run_id": run_id}
    async with PanelSocket(panel.api, panel.url, cookie, path, query) as socket:
        await socket.send(f"{RunState.get_full_name()}.retry")
        return " ".join(socket.received)


async def count_runs(org: str) -> int:
    async with org_scope(OPERATOR, org) as scope:
        return len((await runs.list_runs(scope)).items)
