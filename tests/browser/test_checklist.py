"""What every page of the panel has to do, whoever wrote it: each that `app.py` registers.

With data: the longest names, a connection, a pipeline with a failed and a good run, and the
log of the good one.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import update

import etlfabric_ui
from etlfabric_dagster import aio, clock, storage
from etlfabric_dagster.config import Settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Org, User
from etlfabric_dagster.schemas.runs import LogLine, RunStatus
from etlfabric_dagster.services import connections, pipelines
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui import routes, strings
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.pipeline_tabs import LOADS
from etlfabric_ui.views.shared import Problem
from tests.browser.conftest import Member, Panel, Witness, add_member, enter, sign_in
from tests.browser.promises import (
    STILL,
    STOP,
    TELL,
    WIDE,
    beneath,
    covered,
    drawn,
    follow,
    kept,
    not_again,
    offered,
    sideways,
    without_colors,
    zoomed,
)
from tests.test_services.ended_runs import end_run

OTHER_WIDTHS = (768, 1920)
MOST_SHIFT = 0.05
LONG = "orders_of_every_customer_in_all_regions1"  # as long as a name may be
ORG = "Browser Incorporated of the Northern and Southern Regions AG"
MOST_NODES = 5_000
LINES = 10_000
MOST_STOPS = 200
LEAST_RING = 3
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
MACHINE_WORDS = re.compile(r"\b(None|NaN|undefined)\b|\{\}|\[object |(?<![\w.])null(?![\w.])")
PARTS = re.compile(r"\[+[.\w]+\]+")
SHIFT = """() => new Promise((done) => { let sum = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(sum), 50); })"""
OUT_OF_ORDER = """() => {
  const stops = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, '
    + '[tabindex]')].filter((one) => one.tabIndex >= 0 && one.offsetParent && !one.disabled);
  const found = stops.filter((one) => one.tabIndex > 0).map((one) => one.outerHTML.slice(0, 100));
  const first = stops[0] && stops[0].textContent;
  return first === 'Skip to content' ? found : [...found, `first stop: ${first}`]; }"""
CONTROLS = """() => [...document.querySelectorAll(
    'main :is(button, input, select, textarea, summary, [role=switch])')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('.sr'))
  .map((one) => ({ off: one.ariaDisabled === 'true' || Boolean(one.readOnly),
    name: (one.ariaLabel || one.labels?.[0]?.innerText || one.innerText || one.placeholder
      || one.name || one.type).trim().split('\\n')[0], reason: one.title }))"""
"""What can be pressed or filled in, and why not."""
TABS = (
    *((routes.CONNECTION, f"?tab={tab}") for tab in ("edit", "streams")),
    *((routes.PIPELINE, f"?tab={tab}") for tab in ("runs", "changes", "schedule", "settings")),
    (routes.ALERTS, "?tab=rules"),
)
ANYBODYS = re.compile(
    "Search .*|Status|Pipeline|Trigger|Time|All|Warnings .*|Errors .*|Follow|Load 500|orders"
    "|Download .*|Name|May|Expires|Create token"  # a token of one's own: it may what its owner may
)
"""What whoever may read may press: it looks elsewhere, and changes nothing of the org."""
FONTS = """() => { const found = {};
  for (const name of ['Inter', 'JetBrains Mono']) {
    const faces = [...document.fonts].filter((one) => one.family.includes(name));
    found[name] = faces.some((one) => one.status === 'loaded')
      && document.fonts.check(`14px '${name}'`); }
  const widths = ['1111', '8888'].map((text) => { const one = document.createElement('td');
    one.className = 'num'; one.style.position = 'absolute'; one.textContent = text;
    document.querySelector('main').append(one); return one.getBoundingClientRect().width; });
  return { ...found, widths: new Set(widths).size }; }"""
LINE = """window.line = { down: false, open: [],
    cut() { this.down = true; for (const one of this.open) one.close(); },
    mend() { this.down = false; } };
  window.WebSocket = class extends WebSocket { constructor(...given) {
    super(...given);
    window.line.open.push(this);
    if (window.line.down) this.close(); } };"""
"""The wire between a browser and the backend."""
REFUSED = "db.acme.io did not answer."
IN_THE_WAY = {
    "loaded_rx_state_": False,
    "problem_rx_state_": asdict(Problem("error", REFUSED, "Try again in a minute.")),
}
HOLD = """{ const waiting = [];
  window.release = () => { window.release = null; for (const one of waiting) one(); };
  window.WebSocket = class extends WebSocket { set onmessage(hear) { super.onmessage = (event) =>
    window.release ? waiting.push(() => hear(event)) : hear(event); } }; }"""
"""What the server says comes when the test lets it."""
RING = """() => { const one = document.activeElement;
  if (!one || one === document.body) return null;
  const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const solid = (...layers) => { for (const color of layers) {
      paint.fillStyle = color; paint.fillRect(0, 0, 1, 1); }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const light = (color) => color.map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const ring = (one.closest('label') && getComputedStyle(one).outlineStyle === 'none')
    ? one.closest('label') : one;
  const behind = ['white'];
  const above = [];
  for (let it = ring.parentElement; it; it = it.parentElement)
    above.unshift(getComputedStyle(it).backgroundColor);
  behind.push(...above);
  const style = getComputedStyle(ring);
  const drawn = style.outlineStyle !== 'none' ? style.outlineColor
    : (style.boxShadow.match(/^(\\w+\\([^)]*\\))/) || ['transparent'])[0];
  const [a, b] = [solid(...behind), solid(...behind, drawn)].map(light);
  return { tag: one.tagName, drawn, behind: behind.at(-1), html: one.outerHTML.slice(0, 80),
    ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) }; }"""
"""How far the ring is from what it stands on."""
SKIPPED = """() => { let last = 0; const found = [];
  for (const one of document.querySelectorAll('h1,h2,h3,h4')) {
    if (!one.offsetParent) continue;
    const level = Number(one.tagName[1]);
    if (last && level > last + 1) found.push(one.outerHTML.slice(0, 100));
    last = level; } return found; }"""


def registered() -> list[str]:
    """The routes that app.py adds, one by one or in a loop."""
    tree = ast.parse((Path(etlfabric_ui.__file__).parent / "app.py").read_text())
    names = [
        one.attr
        for one in ast.walk(tree)
        if isinstance(one, ast.Attribute) and getattr(one.value, "id", "") == "routes"
    ]
    return sorted({getattr(routes, name) for name in names})


ORG_PAGES = [route for route in registered() if route.startswith("/o/")]
DOORS = [routes.LOGIN, routes.SIGNUP, routes.FORGOT, routes.RESET, routes.PASSWORD, routes.VERIFY]
OTHERS = [
    route for route in registered() if route.startswith(("/operator", "/account", "/new-org"))
]


@dataclass(frozen=True)
class Furnished:
    """An org with something on each page."""

    slug: str
    run_id: str

    def path(self, route: str) -> str:
        """The route's URL in this org."""
        known = {"org_slug": self.slug, "run_id": self.run_id, "connection_name": "shop"}
        known |= {"pipeline_name": "shop", "connector_key": "postgresql"}
        known |= {"target_slug": self.slug}
        return PARTS.sub(lambda part: known.get(part[0].strip("[]."), "x"), route)


@pytest.fixture(scope="module")
def furnished(migrated: Settings) -> tuple[Furnished, Member]:
    """The org, and its owner, who is an operator too."""
    owner = add_member("owner")
    return aio.run(_furnish(owner)), owner


async def _furnish(owner: Member) -> Furnished:
    slug = owner.org
    async with get_session() as session:
        await session.execute(update(Org).where(Org.slug == slug).values(name=ORG))
        await session.execute(
            update(User).where(User.email == owner.email).values(is_operator=True)
        )
    config = {"dialect": "postgresql", "host": "db.acme.io", "database": "shop", "username": "r"}
    async with org_scope(OPERATOR, slug) as scope:
        await connections.create(scope, "shop", "sql_database", config, {"password": "pw"})
        await connections.create(scope, LONG, "sql_database", config, {"password": "pw"})
        org_id = scope.org_id
    await end_run(slug, RunStatus.FAILED, pipeline=LONG)
    await end_run(slug, RunStatus.FAILED, ago=timedelta(hours=3))
    run_id = await end_run(slug, RunStatus.SUCCEEDED, rows=20_557, size=84_200_000)
    lines = [
        LogLine(at=clock.now(), level="warning" if n == 7 else "info", message=f"line {n}")
        for n in range(LINES)
    ]
    storage.append_log(org_id, run_id, 1, lines)
    return Furnished(slug, str(run_id))


@pytest.fixture(scope="module")
def signed_in(
    panel: Panel,
    chromium: Browser,
    furnished: tuple[Furnished, Member],
    interactive_worker: None,
) -> Iterator[BrowserContext]:
    """A browser that is signed in as the owner."""
    context = chromium.new_context(base_url=panel.url, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    page = context.new_page()
    sign_in(page, furnished[1])
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def titles() -> dict[str, str]:
    """The window's title → the route that has it, of the pages seen so far."""
    return {}


@pytest.mark.parametrize("route", ORG_PAGES + OTHERS)
def test_page_holds_what_every_page_promises(
    signed_in: BrowserContext,
    furnished: tuple[Furnished, Member],
    witness: Witness,
    titles: dict[str, str],
    route: str,
) -> None:
    page = signed_in.new_page()
    witness.watch(page)
    page.set_viewport_size({"width": WIDE, "height": 800})
    page.goto(furnished[0].path(route))
    drawn(page)

    faults = moved(page) + shape(page)
    faults += another_title(titles, page, route)
    at_first = offered(page)
    faults += kept(page) + without_colors(page) + zoomed(page, at_first)
    faults += [f"order: {one}" for one in page.evaluate(OUT_OF_ORDER)]
    for width in OTHER_WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        faults += sideways(page, width)
    faults += beneath(page)
    page.close()
    assert faults == []


def test_viewer_finds_nothing_to_change_that_does_not_say_why_not(
    panel: Panel, chromium: Browser, furnished: tuple[Furnished, Member], witness: Witness
) -> None:
    org = furnished[0]
    context = chromium.new_context(base_url=panel.url, viewport={"width": WIDE, "height": 800})
    page = context.new_page()
    witness.watch(page)
    enter(page, add_member("viewer", org.slug), org.path(routes.OVERVIEW))
    faults, refused = [], 0
    for path in [*map(org.path, ORG_PAGES), *(org.path(route) + tab for route, tab in TABS)]:
        page.goto(path)
        drawn(page)
        for one in page.evaluate(CONTROLS):
            refused += one["off"]
            if one["off"] and not one["reason"]:
                faults.append(f"{path}: {one['name']} does not say why not")
            elif not one["off"] and not ANYBODYS.fullmatch(one["name"]):
                faults.append(f"{path}: {one['name']} may be pressed")
    context.close()
    assert refused > 20
    assert faults == []


@pytest.mark.parametrize("size", [(390, 500), (WIDE, 420)], ids=["phone", "desk"])
def test_what_has_the_focus_lies_below_no_bar_that_sticks(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member], size: tuple[int, int]
) -> None:
    page = signed_in.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(furnished[0].path(routes.NEW_CONNECTION_OF if size[0] < WIDE else routes.RUNS))
    drawn(page)
    if size[0] == WIDE:
        page.get_by_label("Select all runs of this page").click()
        expect(page.get_by_label("Selected runs")).to_be_visible()

    page.locator("h1").focus()
    faults, stops = [], 0
    for key in ("Tab", "Shift+Tab"):  # down to the end, and back up
        page.keyboard.press(key)
        while page.evaluate(STOP) and stops < MOST_STOPS:
            faults += covered(page)
            stops += 1
            page.keyboard.press(key)
    page.close()
    assert 10 < stops < MOST_STOPS
    assert faults == []


def test_list_that_cannot_be_read_says_so_with_a_way_to_try_again(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member], witness: Witness
) -> None:
    page = signed_in.new_page()
    witness.watch(page)
    page.add_init_script(HOLD)
    page.goto(f"{furnished[0].path(routes.RUNS)}?cursor=none")
    expect(page.locator(".bones").first).to_be_visible()
    page.evaluate("window.release()")

    said = page.get_by_role("alert")
    expect(said).to_contain_text("The page cursor cannot be read.")
    expect(said).to_contain_text("Start again from the first page.")
    expect(said.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator(".bones")).to_have_count(0)
    faults = kept(page)
    page.close()
    assert faults == []


def test_each_page_shows_what_is_in_its_way_and_reads_again_when_asked(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member], witness: Witness
) -> None:
    page = signed_in.new_page()
    witness.watch(page)
    page.set_viewport_size({"width": 390, "height": 800})
    page.add_init_script(TELL)
    page.goto(furnished[0].path(routes.OVERVIEW))
    said = page.locator("main").get_by_role("alert")
    faults = []
    for route, state in readers().items():
        path = furnished[0].path(route).removesuffix("/x")  # what the org has none of
        page.evaluate("heard = ''")
        follow(page, path)
        page.wait_for_function('(state) => heard.includes(`"${state}":`)', arg=state)
        drawn(page)
        before = offered(page)
        page.evaluate("([state, told]) => tell({ [state]: told })", [state, IN_THE_WAY])
        expect(said, path).to_contain_text(REFUSED)
        expect(page.locator("main table, .bones"), path).to_have_count(0)
        faults += [f"{path}: {one}" for one in sideways(page, 390)]
        again = said.get_by_role("button", name=strings.TRY_AGAIN)
        if not again.count():
            faults.append(f"{path}: no way to try again")
            continue
        again.click()
        expect(said, path).to_have_count(0)
        faults += [f"{path}: {one} is not there again" for one in not_again(page, before)]
    page.close()
    assert faults == []


def readers() -> dict[str, str]:
    """Each page in the frame that reads something, and each tab of a pipeline that does → the
    state that it reads into.
    """
    from etlfabric_ui.app import app  # noqa: PLC0415 - builds all pages: not for who only collects

    pages: Any = app._unevaluated_pages
    read = {
        f"/{route}": next(filter(reads, (one.state for one in page.on_load or ())), None)
        for route, page in pages.items()
    }
    of_tabs = {f"{routes.PIPELINE}?tab={tab}": load for tab, load in LOADS.items() if load}
    return {
        route: state.get_full_name()
        for route, state in read.items()
        if state and route != routes.TABLE  # in test_models.py
    } | {route: load.state_full_name for route, load in of_tabs.items()}


def reads(state: type) -> bool:
    """Whether a page that reads into it can be in the way of itself."""
    return issubclass(state, PageState)


def test_state_that_changes_stands_in_each_window_within_two_seconds(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member], witness: Witness
) -> None:
    org = furnished[0].slug
    of_list, of_one = signed_in.new_page(), signed_in.new_page()
    for page, route in ((of_list, routes.PIPELINES), (of_one, routes.PIPELINE)):
        witness.watch(page)
        page.goto(furnished[0].path(route))
        drawn(page)
    badge = of_list.get_by_role("row").filter(has_text="shop").locator(".badge")
    of_one.get_by_role("button", name="Pause").click()
    own = of_one.locator("main .badge").first
    expect(own).to_have_text("Paused")
    expect(badge).to_have_text("Paused", timeout=2_000)

    aio.run(_resume(org))
    since = time.monotonic()
    for other in (badge, own):
        left_ms = 2_000 - 1_000 * (time.monotonic() - since)
        expect(other).not_to_have_text("Paused", timeout=max(1, left_ms))
    of_list.close()
    of_one.close()


async def _resume(org: str) -> None:
    async with org_scope(OPERATOR, org) as scope:
        await pipelines.set_paused(scope, "shop", paused=False)


def test_fonts_are_ours_and_digits_equally_wide(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member]
) -> None:
    page = signed_in.new_page()
    page.goto(furnished[0].path(routes.RUN))
    drawn(page)
    expect(page.locator(".log li").first).to_be_visible()
    page.evaluate("document.fonts.ready")

    found = page.evaluate(FONTS)
    page.close()
    assert found == {"Inter": True, "JetBrains Mono": True, "widths": 1}


def test_tab_goes_through_a_page_in_reading_order_and_shows_where_it_is(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member], witness: Witness
) -> None:
    page = signed_in.new_page()
    witness.watch(page)
    page.set_viewport_size({"width": WIDE, "height": 800})
    page.goto(furnished[0].path(routes.PIPELINES))
    drawn(page)
    expect(page.get_by_role("link", name="shop", exact=True)).to_be_visible()

    stops = []
    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(STOP))
        if stops[-1] is None or stops[-1] in stops[:-1]:
            break
    page.close()
    walked = [stop for stop in stops if stop is not None]
    assert walked[0]["said"] == "Skip to content"
    assert "shop" in [stop["said"] for stop in walked], "its list is reached"
    assert [stop["nth"] for stop in walked] == sorted(stop["nth"] for stop in walked)
    assert [stop["said"] for stop in walked if stop["ring"] < 2] == []


def test_ring_around_what_has_the_focus_stands_out_by_day_and_by_night(
    signed_in: BrowserContext, furnished: tuple[Furnished, Member]
) -> None:
    page = signed_in.new_page()
    page.set_viewport_size({"width": WIDE, "height": 800})
    page.goto(furnished[0].path(routes.RUN))
    drawn(page)
    faint: list[str] = []
    kinds: set[tuple[str, str]] = set()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(STILL)
        page.locator("h1").focus()
        for _ in range(MOST_STOPS):
            page.keyboard.press("Tab")
            seen = page.evaluate(RING)
            if seen is None:
                break
            kinds.add((scheme, seen["tag"]))
            faint += [f"{scheme}: {seen}"] if seen["ratio"] < LEAST_RING else []
    page.close()
    assert {(scheme, tag) for scheme in SCHEMES for tag in ("BUTTON", "INPUT")} <= kinds
    assert faint == []


def test_a_dropped_socket_is_said_and_what_one_sees_is_fresh_again_afterwards(
    panel: Panel, chromium: Browser, member: Member
) -> None:
    context = chromium.new_context(base_url=panel.url, viewport={"width": WIDE, "height": 800})
    context.add_init_script(LINE)
    page = context.new_page()
    sign_in(page, member)
    page.goto(f"/o/{member.org}/runs")
    expect(page.get_by_text("No runs yet.")).to_be_visible()
    banner = page.locator("#connection")
    expect(banner).to_be_hidden()

    page.evaluate("window.line.cut()")
    expect(banner).to_have_text("Reconnecting. What you see may be out of date.")
    expect(banner).to_be_visible(timeout=3_000)  # after two seconds, however often it is tried
    aio.run(end_run(member.org, RunStatus.SUCCEEDED, rows=20_557))
    page.evaluate("window.line.mend()")
    expect(banner).to_be_hidden(timeout=30_000)
    expect(page.get_by_role("row").filter(has_text="20,557 rows")).to_be_visible(timeout=30_000)
    context.close()


@pytest.mark.parametrize("route", DOORS)
def test_door_holds_what_every_page_promises(
    page: Page, titles: dict[str, str], route: str
) -> None:
    page.goto(PARTS.sub("x", route))
    drawn(page)
    at_first = offered(page)

    faults = shape(page) + another_title(titles, page, route)
    assert faults + kept(page) + without_colors(page) + zoomed(page, at_first) == []


def another_title(titles: dict[str, str], page: Page, route: str) -> list[str]:
    """What else is called like this page."""
    title = page.title()
    if page.get_by_text(strings.MISSING).count():
        return []  # what is not there has no name
    other = titles.setdefault(title, route)
    return [] if other == route else [f"{title!r} is the title of {other} as well"]


def shape(page: Page) -> list[str]:
    """One of each landmark, headings in order, a title, and words for people."""
    found = [
        f"{page.locator(name).count()} × {name}"
        for name in ("h1", "main")
        if page.locator(name).count() != 1
    ]
    if page.locator("nav").count() < 1:
        found.append("no nav")
    if page.locator("html").get_attribute("lang") != "en":
        found.append("lang is not set")
    if "·" not in page.title():
        found.append(f"title {page.title()!r} names no product")
    text = page.locator("main").inner_text()
    found += [f"says {word[0]!r}" for word in MACHINE_WORDS.finditer(text)]
    found += [f"skips to {heading}" for heading in page.evaluate(SKIPPED)]
    nodes = page.evaluate("document.querySelectorAll('*').length")
    return found if nodes <= MOST_NODES else [*found, f"{nodes} nodes"]


def moved(page: Page) -> list[str]:
    """How far things jumped while the page came."""
    shift = page.evaluate(SHIFT)
    return [f"layout shift {shift:.3f}"] if shift >= MOST_SHIFT else []
