"""The panel as it is served, on this test process' servers, and a Chromium to look at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from etlfabric_dagster import aio
from etlfabric_dagster.config import Settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Membership, User
from etlfabric_dagster.services import orgs, sessions, users
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.testing import free_port
from etlfabric_ui.server import build
from etlfabric_ui.state.guards import AUDIENCE, COOKIE

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)
PASSWORD = "correct horse battery"
CONTACT = "ops@example.com, room 4.12"
PATIENCE_S = 120
expect.set_options(timeout=20_000)  # dbt parses in between, on a busy machine


@dataclass(frozen=True)
class Panel:
    """Where the panel is served."""

    url: str
    api: str


@dataclass
class Witness:
    """What a browser saw that nobody should see."""

    own: tuple[str, ...]
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda said: self._console(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._request)

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"console {kind}: {text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that was left
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((*self.own, "data:", "blob:")):
            self.complaints.append(f"foreign: {request.url}")


@pytest.fixture(scope="package")
def panel(migrated: Settings, _home: Path) -> Iterator[Panel]:
    """Backend and static server, as `etlfabric up` starts them."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium-headless-shell; .ci/run installs it")
    if not build.is_fresh():
        build.build()
    ui, api = free_port(), free_port()
    with ExitStack() as running:
        for name, port in (("backend", api), ("static", ui)):
            running.enter_context(served(name, _home, ui, api))
            wait_for(f"http://127.0.0.1:{port}/healthz", _home / f"{name}.log")
        yield Panel(f"http://localhost:{ui}", f"http://localhost:{api}")


@contextmanager
def served(name: str, home: Path, ui: int, api: int) -> Iterator[None]:
    """One of the panel's servers, as a process; it has ended when this has."""
    given = {"ETLFABRIC_UI_PORT": str(ui), "ETLFABRIC_API_PORT": str(api)}
    given["ETLFABRIC_OPERATOR_CONTACT"] = CONTACT
    with (home / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "etlfabric_ui.server", name],
            env={**os.environ, **given, "ETLFABRIC_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, log: Path) -> None:
    """Until a server answers there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer: {log.read_text()[-2000:]}")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """While it is open its event loop runs in this thread, where async tests want theirs."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """A browser for contexts that know nothing of each other."""
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def profile(panel: Panel, playwright: Playwright, _home: Path) -> Iterator[BrowserContext]:
    """One person's browser for the folder: the panel's scripts are fetched and compiled once."""
    context = playwright.chromium.launch_persistent_context(
        _home / "chromium",
        executable_path=str(CHROMIUM),
        args=list(FLAGS),
        base_url=panel.url,
        viewport={"width": 1280, "height": 800},
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def witness(panel: Panel) -> Iterator[Witness]:
    """Fails the test when the browser complained or spoke to anybody else."""
    found = Witness((panel.url, panel.api, panel.api.replace("http", "ws")))
    yield found
    assert found.complaints == []


@pytest.fixture
def page(panel: Panel, profile: BrowserContext, witness: Witness) -> Iterator[Page]:
    """A fresh browser window, nobody signed in."""
    profile.grant_permissions(["clipboard-write"])  # a window that is looked at has it
    opened = profile.new_page()
    witness.watch(opened)
    yield opened
    for left in profile.pages:
        _forget(left, panel)
        left.close()
    profile.clear_cookies()
    profile.clear_permissions()


def _forget(page: Page, panel: Panel) -> None:
    """What the panel keeps in a browser; what it fetched stays."""
    kept = {"origin": panel.url, "storageTypes": "local_storage,session_storage,indexeddb"}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)


@dataclass(frozen=True)
class Member:
    """A person of a new org."""

    email: str
    org: str


@pytest.fixture
def member(migrated: Settings) -> Member:
    """The owner of an org of their own."""
    return add_member("owner")


def add_member(role: str, org: str | None = None) -> Member:
    """A person with this role, in a new org unless one is given."""
    return aio.run(_add_member(role, org))


async def _add_member(role: str, slug: str | None) -> Member:
    slug = slug or (await orgs.create(OPERATOR, f"b_{uuid4().hex[:8]}", "Browser Inc.")).slug
    email = f"{uuid4().hex[:8]}@example.com"
    made = await users.create(OPERATOR, email)
    await users.set_password(email, PASSWORD)
    org = await orgs.get(OPERATOR, slug)
    async with get_session() as session:
        user = await session.get_one(User, made.id)
        session.add(Membership(org_id=org.id, user_id=user.id, role=role))
    return Member(email, slug)


def sign_in(page: Page, member: Member) -> None:
    """Through the form, as people do."""
    page.goto("/login")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/overview")


def enter(page: Page, member: Member, path: str) -> None:
    """Open a page of the panel as somebody who signed in before."""
    grant = aio.run(sessions.sign_in(member.email, PASSWORD, AUDIENCE))
    page.context.add_cookies(
        [{"name": COOKIE, "value": grant.cookie, "domain": "localhost", "path": "/"}]
    )
    page.goto(path)


def cookie_of(page: Page) -> str:
    """The session of whoever is signed in."""
    return next(
        str(one.get("value")) for one in page.context.cookies() if one.get("name") == COOKIE
    )


def copied(page: Page) -> str:
    """What the clipboard holds."""
    page.context.grant_permissions(["clipboard-read"])
    return str(page.evaluate("navigator.clipboard.readText()"))
