"""The way of a new person: sign up, connect a real PostgreSQL, first run live, rows, a dbt model of
their own and its rows in marts, and a colleague who may look but not touch. As far as the mart
nobody touches a mouse.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tenacity import retry, stop_after_delay, wait_fixed

from benchmarks.ui_socket import PanelSocket
from etlfabric_dagster import aio, queue
from etlfabric_dagster.config import Settings
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.services import connections, dbt_models, pipelines, runs
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_dagster.testing import SandboxServer
from etlfabric_ui.state.dbt_models import DbtModelsState
from tests.browser.conftest import PASSWORD, Panel, Witness, cookie_of
from tests.browser.promises import announced, serious
from tests.test_api.mailbox import letters, token_in

WORKER = "journey@test"
PATIENCE_S = 300  # imports take long on a busy machine
STARTS_MS = 60_000
RUNS_MS = 120_000
MOST_STOPS = 80
TO_MART_S = 120
POINTED = "addEventListener('pointerdown', () => { sessionStorage.pointed = 'yes'; }, true)"
MODEL = "marts/customers.sql"
SQL = """select customer, count(*) as orders
from {{ ref('stg_orders') }}
where id <= 10
group by 1
"""
SOURCE = """
CREATE TABLE orders
  (id int PRIMARY KEY, customer text, updated_at timestamptz NOT NULL, email text);
CREATE INDEX ON orders (updated_at);
CREATE TABLE notes (body text);
INSERT INTO orders
  SELECT n, 'customer ' || n, timestamptz '2026-01-01' + n * interval '1 min', n || '@example.com'
  FROM generate_series(1, 1250) n;
INSERT INTO notes VALUES ('hello');
ANALYZE;
"""


@pytest.fixture(scope="module")
def shop(source_cluster: PostgresCluster) -> Iterator[tuple[int, str]]:
    """Port and name of a source database, and in it a login that can read two tables."""
    name, login = f"journey_{uuid4().hex[:8]}", "journey_reader"
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
        conn.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'read-only-pw'".encode())
    with psycopg.connect(source_cluster.dsn(name), autocommit=True) as conn:
        conn.execute(SOURCE)
        conn.execute(f"GRANT SELECT ON orders, notes TO {login}".encode())
    yield source_cluster.port, name
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        conn.execute(f"DROP ROLE {login}".encode())


@pytest.fixture(scope="module")
def worker(migrated: Settings, sandbox: SandboxServer) -> Iterator[None]:
    """A Celery worker for runs and for what people ask, as `etlfabric up` starts them."""
    with _celery(migrated):
        _answers()
        yield


@contextmanager
def _celery(install: Settings) -> Iterator[None]:
    command = ("celery", "-A", "etlfabric_dagster.tasks", "worker", "-n", WORKER)
    queues = f"{queue.RUNS},{queue.INTERACTIVE}"
    flags = ("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")
    with (install.home_dir / "journey.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "-Q", queues, *flags],
            env={**os.environ, "ETLFABRIC_HOME": str(install.home_dir)},
            cwd=install.home_dir,
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


@retry(stop=stop_after_delay(PATIENCE_S), wait=wait_fixed(0.2), reraise=True)
def _answers() -> None:
    assert queue.celery_app().control.ping([WORKER], timeout=0.5, limit=1), "no answer"


def test_from_sign_up_to_rows_of_a_mart_by_keyboard_and_to_a_viewer_who_cannot_edit_it(
    page: Page,
    panel: Panel,
    chromium: Browser,
    witness: Witness,
    shop: tuple[int, str],
    worker: None,
) -> None:
    port, database = shop
    page.add_init_script(POINTED)
    been: list[str] = []
    page.on("framenavigated", lambda frame: been.append(frame.url))
    began = time.monotonic()
    org = sign_up(page)
    details(page, port, database, "wrong")
    the_password_field_says_why(page)

    write_into(page.locator("#secrets-password"), "read-only-pw")
    press(page.get_by_role("button", name="Test and continue"))
    good_defaults_stand_for_each_stream(page)
    assert "read-only-pw" not in page.content()
    assert aio.run(stored_secrets(org)) == ("password",)

    press(page.get_by_role("button", name="Continue with 2"))
    it_runs_by_hand_only(page)
    press(page.get_by_role("button", name="Create and run"))
    page.keyboard.press("Enter")  # makes one
    the_run_is_told_to_its_end(page)
    assert aio.run(counted(org)) == (1, 1, 1)
    its_log_is_searched_and_downloaded(page)
    the_rows_are_there(page)
    a_dbt_model_is_written_previewed_and_saved(page)
    its_rows_are_in_marts_after_a_run(page)
    assert time.monotonic() - began < TO_MART_S
    assert page.evaluate("sessionStorage.pointed") is None
    assert aio.run(counted(org)) == (1, 1, 2)

    no_secret_is_left(page, been)
    token = a_viewer_is_invited(page, org)
    other = chromium.new_context(base_url=panel.url, viewport={"width": 1280, "height": 800})
    theirs = other.new_page()
    witness.watch(theirs)
    they_join(theirs, org, token)
    they_read_the_dbt_model_and_find_nothing_to_edit(theirs, org)
    refused = aio.run(forged_save(panel, cookie_of(theirs), org))
    other.close()
    assert "Editors can do this; you are viewer" in refused
    assert "stg_orders" in aio.run(stored_text(org))


def reach(target: Locator) -> None:
    """Tab until it has the focus; Escape leaves the editor, whose Tab indents."""
    for _ in range(MOST_STOPS):
        if target.evaluate("one => one === document.activeElement"):
            return
        if target.page.evaluate("document.activeElement.closest('.cm-editor') !== null"):
            target.page.keyboard.press("Escape")
        target.page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {target}")


def press(target: Locator) -> None:
    reach(target)
    target.page.keyboard.press("Enter")


def write_into(target: Locator, text: str) -> None:
    reach(target)
    target.page.keyboard.press("Control+a")
    target.page.keyboard.type(text)


def sign_up(page: Page) -> str:
    slug = f"j_{uuid4().hex[:8]}"
    page.goto("/signup")
    write_into(page.get_by_label("Name", exact=True), "Sam Novak")
    write_into(page.get_by_label("Work email"), f"{slug}@example.com")
    write_into(page.get_by_label("Password", exact=True), PASSWORD)
    write_into(page.get_by_label("Organization", exact=True), slug.replace("_", " "))
    press(page.get_by_role("button", name="Create account"))
    page.wait_for_url(f"**/o/{slug}/overview")
    expect(page.get_by_role("heading", name="Connect your first source")).to_be_visible()
    return slug


def details(page: Page, port: int, database: str, password: str) -> None:
    press(page.get_by_role("link", name="New connection").first)
    press(page.get_by_role("button", name="PostgreSQL"))
    write_into(page.get_by_label("Host").first, "127.0.0.1")
    write_into(page.get_by_label("Port").first, str(port))
    write_into(page.get_by_label("Database name"), database)
    write_into(page.get_by_label("User").first, "journey_reader")
    write_into(page.locator("#secrets-password"), password)
    press(page.get_by_role("button", name="Test and continue"))


def the_password_field_says_why(page: Page) -> None:
    password = page.locator("#secrets-password")
    expect(password).to_have_attribute("aria-invalid", "true", timeout=STARTS_MS)
    expect(password).to_be_focused()
    expect(page.locator("#secrets-password-error")).to_contain_text("refused the login")
    assert serious(page) == []


def good_defaults_stand_for_each_stream(page: Page) -> None:
    expect(page.get_by_role("heading", name="Streams of postgresql")).to_be_visible(
        timeout=STARTS_MS
    )
    expect(page.get_by_label("Load orders", exact=True)).to_be_checked()
    expect(page.get_by_label("Load mode of orders")).to_have_value("incremental")
    assert serious(page) == []
    opener = page.get_by_role("button", name="Open orders")
    press(opener)
    expect(page.get_by_text("customer 1, customer 2, customer 3")).to_be_visible(timeout=STARTS_MS)
    expect(page.get_by_role("dialog")).to_contain_text("Looks like an email. Hash it?")
    expect(page.get_by_label("Policy of email")).to_have_value("keep")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def it_runs_by_hand_only(page: Page) -> None:
    """The arrows go through the presets, around the end."""
    reach(page.locator("input[name=preset]:checked"))
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
        expect(page.locator("input[name=preset]:focus")).to_be_checked()
    expect(page.get_by_role("radio", name="Manual")).to_be_checked()


async def counted(org: str) -> tuple[int, int, int]:
    """Connections, pipelines and runs."""
    async with org_scope(OPERATOR, org) as scope:
        lists = (connections.list_connections, pipelines.list_pipelines, runs.list_runs)
        first, second, third = [len((await one(scope)).items) for one in lists]
    return first, second, third


def no_secret_is_left(page: Page, been: list[str]) -> None:
    """Neither where scripts could read it, nor in a URL, nor in a window's title."""
    kept = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    kept += page.evaluate("document.cookie") + page.title() + " ".join(been) + page.content()
    assert len(been) > 8
    assert [one for one in ("read-only-pw", PASSWORD, cookie_of(page)) if one in kept] == []


async def stored_secrets(org: str) -> tuple[str, ...]:
    async with org_scope(OPERATOR, org) as scope:
        return (await connections.get(scope, "postgresql")).secrets


def the_run_is_told_to_its_end(page: Page) -> None:
    page.wait_for_url("**/runs/*", timeout=STARTS_MS)
    expect(page.get_by_text("Your data is ready. 1,251 rows loaded")).to_be_visible(timeout=RUNS_MS)
    expect(page.get_by_text("Load 2 of 2")).to_be_visible()
    expect(page).to_have_title("Succeeded · postgresql")
    orders = page.get_by_role("row").filter(
        has=page.get_by_role("button", name="orders", exact=True)
    )
    expect(orders).to_contain_text("1,250")
    assert serious(page) == []


def its_log_is_searched_and_downloaded(page: Page) -> None:
    lines = page.locator(".log li")
    expect(lines.first).to_be_visible()
    write_into(page.get_by_label("Search the log"), "nothing says this")
    expect(page.get_by_text("No lines match these filters.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?search=nothing\+says\+this$"))
    write_into(page.get_by_label("Search the log"), "")
    page.keyboard.press("Delete")
    expect(lines.first).to_be_visible()
    with page.expect_download() as download:
        press(page.get_by_role("button", name="Download the whole log"))
    text = download.value.path().read_text()
    assert "orders" in text
    assert len(text.splitlines()) == lines.count()


def the_rows_are_there(page: Page) -> None:
    press(page.get_by_role("link", name="Browse the data"))
    page.wait_for_url("**/data*")
    press(page.locator("a.leaf", has_text="stg_orders"))
    cell = page.get_by_role("cell", name="customer 1", exact=True)
    expect(cell).to_be_visible(timeout=STARTS_MS)


def a_dbt_model_is_written_previewed_and_saved(page: Page) -> None:
    press(page.get_by_role("link", name="dbt models"))
    press(page.get_by_role("button", name="New", exact=True))
    write_into(page.get_by_label("Name", exact=True), "customers")
    press(page.get_by_role("button", name="Create"))
    page.wait_for_url(f"**/{MODEL}*")
    reach(page.locator(".cm-content"))
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(SQL)
    page.keyboard.press("Control+Enter")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("cell", name="customer 7", exact=True)).to_be_visible(
        timeout=STARTS_MS
    )
    press(page.get_by_role("button", name="Save"))
    expect(announced(page, "Saved.")).to_be_visible(timeout=STARTS_MS)
    expect(page.get_by_role("link", name="customers")).to_be_visible()


def its_rows_are_in_marts_after_a_run(page: Page) -> None:
    press(page.get_by_role("link", name="Pipelines"))
    press(page.get_by_role("button", name="Run postgresql now"))
    page.keyboard.press("Enter")  # makes one
    page.wait_for_url("**/runs/*", timeout=STARTS_MS)
    expect(page).to_have_title("Succeeded · postgresql", timeout=RUNS_MS)
    expect(page.get_by_text("Marts 1 of 1")).to_be_visible()
    press(page.get_by_role("link", name="Data", exact=True))
    press(page.locator("a.leaf", has_text="customers"))
    page.wait_for_url("**/data/marts/customers")
    rows = page.get_by_role("region", name="Rows")
    expect(rows.get_by_role("cell", name="customer 7", exact=True)).to_be_visible(timeout=STARTS_MS)


def a_viewer_is_invited(page: Page, org: str) -> str:
    """What the letter's link holds."""
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Email, one or several").fill(f"viewer.{org}@example.com")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("Send this link yourself.")).to_be_visible()
    return token_in(letters(f"viewer.{org}@example.com")[-1])


def they_join(page: Page, org: str, token: str) -> None:
    page.goto(f"/invite/{token}")
    expect(page.get_by_role("status")).to_contain_text("as viewer")
    page.get_by_label("Name", exact=True).fill("Kim Vos")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(f"**/o/{org}/overview")


def they_read_the_dbt_model_and_find_nothing_to_edit(page: Page, org: str) -> None:
    page.goto(f"/o/{org}/dbt-models/{MODEL}")
    text = page.locator(".cm-content")
    expect(text).to_contain_text("stg_orders")
    expect(text).to_have_attribute("aria-readonly", "true")
    save = page.get_by_role("button", name="Save")
    expect(save).to_have_attribute("aria-disabled", "true")
    expect(save).to_have_attribute("title", "Editors can write dbt models.")
    page.goto(f"/o/{org}/pipelines/postgresql")
    mode = page.get_by_label("Load mode of orders")
    mode.focus()
    page.keyboard.press("ArrowDown")
    for field in (mode, page.get_by_label("Load orders", exact=True)):
        expect(field).to_have_attribute("aria-disabled", "true")
        expect(field).to_have_attribute("title", "Editors can change pipelines.")
    expect(mode).to_have_value("incremental")
    run = page.get_by_role("button", name="Run now")
    expect(run).to_have_attribute("aria-disabled", "true")


async def forged_save(panel: Panel, cookie: str, org: str) -> str:
    """The event that the missing button would raise."""
    path = f"/o/{org}/dbt-models/{MODEL}"
    query = {"org_slug": org, "splat": MODEL}
    async with PanelSocket(panel.api, panel.url, cookie, path, query) as socket:
        await socket.send(f"{DbtModelsState.get_full_name()}.save", text="select 1", version="")
        return " ".join(socket.received)


async def stored_text(org: str) -> str:
    async with org_scope(OPERATOR, org) as scope:
        return (await dbt_models.get(scope, MODEL)).content or ""
