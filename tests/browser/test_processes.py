"""Several backend processes behind one Redis: any of them answers any page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.ui_socket import PanelSocket
from etlfabric_dagster import aio
from etlfabric_dagster.services import sessions
from etlfabric_dagster.testing import free_port
from etlfabric_ui.state.guards import AUDIENCE
from etlfabric_ui.state.runs import RunsState
from tests.browser.conftest import PASSWORD, Member, Panel, served, wait_for


@pytest.fixture(scope="module")
def other(panel: Panel, _home: Path) -> Iterator[Panel]:
    """The panel, as a second backend of the same install answers it."""
    ui, api = urlsplit(panel.url).port or 0, free_port()
    with served("backend", _home, ui, api):
        wait_for(f"http://127.0.0.1:{api}/healthz", _home / "backend.log")
        yield Panel(panel.url, f"http://localhost:{api}")


def test_page_that_one_process_opened_goes_on_on_another_until_its_session_ends(
    panel: Panel, other: Panel, member: Member
) -> None:
    aio.run(_go_on(panel, other, member))


async def _go_on(panel: Panel, other: Panel, member: Member) -> None:
    grant = await sessions.sign_in(member.email, PASSWORD, AUDIENCE)
    page = (grant.cookie, f"/o/{member.org}/runs", {"org_slug": member.org})
    choose = f"{RunsState.get_full_name()}.filter"
    async with PanelSocket(panel.api, panel.url, *page) as opened:
        await opened.send(choose, name="status", value="failed")
    async with PanelSocket(other.api, other.url, *page, tab=opened.tab) as gone_on:
        await gone_on.send(choose, name="trigger", value="retry")
        assert "status=failed&trigger=retry" in " ".join(gone_on.received)

    await sessions.sign_out(grant.cookie, AUDIENCE)
    async with PanelSocket(other.api, other.url, *page) as refused:
        said = " ".join(refused.received)
    assert "/login?next=" in said
