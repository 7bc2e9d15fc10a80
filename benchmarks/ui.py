"""How the panel answers: `--browsers N` (200) open at once, `--seconds N` (30), `--lines N`.

Pages are timed in Chromium, from the address to the data in the page. Open browsers are websockets
that do what the overview does: load, then look again every 10 s, against one backend process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright
from sqlalchemy import func, update

from benchmarks import ui_streams
from benchmarks.report import Figure, finish, percentile
from benchmarks.stack import err, throw_away_stack
from benchmarks.tenants import PIPELINE, Source, register, run_once
from benchmarks.ui_socket import STATE, PanelSocket
from etlfabric_dagster import aio, clock, storage
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.models import Membership, Run
from etlfabric_dagster.schemas.runs import LogLine
from etlfabric_dagster.services import orgs, runs, users
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui.state.overview import LOOK_MS

PAGE_P50_S, CLICK_P50_S, BROWSERS_P95_S, SEARCH_P50_S, MOST_NODES = 1.0, 0.05, 0.5, 0.3, 5_000
SLUG, EMAIL = "panel", "bench@example.com"
PASSWORD = secrets.token_urlsafe(16)
LOOKS_EVERY_S = LOOK_MS / 1000
CHROMIUM = "/usr/bin/chromium-headless-shell"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
FILTER_EVENT = f"{STATE}.etlfabric_ui___state___lists____pipelines_state.filter"
POLL = f"{STATE}.etlfabric_ui___state___overview____overview_state.poll"
UNTIL = """const until = async (holds) => {
    while (!holds()) await new Promise(requestAnimationFrame);
  };
  const calm = () => new Promise((done) => setTimeout(done, 300));
  const $ = (wanted) => document.querySelector(wanted);
  const timed = async (act, holds) => {
    const began = performance.now();
    act();
    await until(holds);
    return (performance.now() - began) / 1000;
  };
  const spent = [];"""
CONNECTOR = f"""async (clicks) => {{ {UNTIL}
  for (let n = 0; n < clicks; n++) {{
    await until(() => $('.tile'));
    await calm();
    spent.push(await timed(() => $('.tile').click(), () => $('.split')));
    await calm();
    $('.steps button').click();
  }}
  return spent;
}}"""
FILTER = f"""async (clicks) => {{ {UNTIL}
  const select = $('.toolbar select');
  const set = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set;
  const choose = (value) => {{
    set.call(select, value);
    select.dispatchEvent(new Event('change', {{ bubbles: true }}));
  }};
  for (let n = 0; n < clicks; n++) {{
    spent.push(await timed(() => choose('paused'), () => $('.empty')));
    await calm();
    spent.push(await timed(() => choose(''), () => $('tbody tr')));
    await calm();
  }}
  return spent;
}}"""
STREAM = f"""async (clicks) => {{ {UNTIL}
  await until(() => $('tbody input[type=checkbox]'));
  for (let n = 0; n < clicks; n++) {{
    spent.push(await timed(() => $('tbody input[type=checkbox]').click(), () => $('.edits')));
    await calm();
    spent.push(await timed(() => $('tbody input[type=checkbox]').click(), () => !$('.edits')));
    await calm();
  }}
  return spent;
}}"""
LOG = """async () => {
  const tabs = [...document.querySelectorAll('.log-head .small-btn')].slice(0, 2);
  const spent = [];
  for (let n = 0; n < 10; n++) {
    const tab = tabs[(n + 1) % 2];
    const began = performance.now();
    tab.click();
    while (tab.getAttribute('aria-pressed') !== 'true') await new Promise(requestAnimationFrame);
    spent.push((performance.now() - began) / 1000);
  }
  return spent;
}"""
WATCH = """() => { window.longest = 0; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.longest = Math.max(window.longest, one.duration);
}).observe({ entryTypes: ['longtask'] }); }"""


@dataclass(frozen=True)
class Given:
    """What was asked on the command line."""

    browsers: int
    seconds: float
    lines: int
    pages: int
    clicks: int
    only_clicks: bool


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--browsers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=10, help="times each page is opened")
    parser.add_argument("--clicks", type=int, default=15, help="times each thing is clicked")
    parser.add_argument("--only-clicks", action="store_true", help="neither pages nor a crowd")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    given = Given(
        *(asked.browsers, asked.seconds, asked.lines, asked.pages, asked.clicks),
        asked.only_clicks,
    )
    with throw_away_stack() as source:
        live = furnish(source, given.lines)
        figures = {} if given.only_clicks else look(given, live)
        figures |= clicked(given)
        if given.only_clicks:
            finish("ui", figures)
            return
        err.print(f"{given.browsers} open browsers")
        spent = asyncio.run(crowd(given))
    figures["browsers_p50_s"] = Figure(percentile(spent, 0.5))
    figures["browsers_p95_s"] = Figure(percentile(spent, 0.95), BROWSERS_P95_S)
    finish("ui", figures)


def furnish(source: Source, lines: int) -> str:
    """An org with runs, a person, and a run that seems to be going, with a long log."""
    source.fill(["events"], rows=1_000)
    register(SLUG, source, ["events"], models="path:none")
    for _ in range(5):
        run_once(SLUG)
    return aio.run(_furnish(lines))


async def _furnish(lines: int) -> str:
    person = await users.create(OPERATOR, EMAIL)
    await users.set_password(EMAIL, PASSWORD)
    org = await orgs.get(OPERATOR, SLUG)
    async with get_session() as session:
        session.add(Membership(org_id=org.id, user_id=person.id, role="owner"))
    async with org_scope(OPERATOR, SLUG) as scope:
        newest = (await runs.list_runs(scope, pipeline=PIPELINE, limit=1)).items[0]
        going = {"status": "running", "finished_at": None, "lease_until": func.now() + HOUR}
        await scope.session.execute(update(Run).where(Run.id == newest.id).values(**going))
        write(scope.org_id, newest.id, lines)
    return str(newest.id)


HOUR = func.make_interval(0, 0, 0, 0, 1)


def write(org_id: object, run_id: object, lines: int) -> None:
    """Lines as a worker stores them."""
    found = [
        LogLine(at=clock.now(), level="info", message=f"{n:,} rows read", subject="events")
        for n in range(lines)
    ]
    storage.append_log(org_id, run_id, 1, found)  # type: ignore[arg-type]


def look(given: Given, live: str) -> dict[str, Figure]:
    """The pages in a browser, each opened again and again."""
    figures: dict[str, Figure] = {}
    paths = {name: f"/o/{SLUG}/{name}" for name in ("overview", "pipelines", "runs")}
    with browser() as page:
        for name, path in (paths | {"run": f"/o/{SLUG}/runs/{live}"}).items():
            spent = [opened(page, path) for _ in range(given.pages + 1)][1:]
            figures[f"{name}_p50_s"] = Figure(percentile(spent, 0.5), PAGE_P50_S)
        figures["log_filter_p50_s"] = Figure(percentile(page.evaluate(LOG), 0.5))
        nodes = page.evaluate("document.querySelectorAll('*').length")
        figures[f"nodes_at_{given.lines}_lines"] = Figure(nodes, MOST_NODES)
        figures |= following(page, live)
        opened(page, ui_streams.discover(SLUG))
        spent = ui_streams.searched(page, given.clicks)
        figures["search_of_1000_streams_p50_s"] = Figure(percentile(spent, 0.5), SEARCH_P50_S)
    return figures


def clicked(given: Given) -> dict[str, Figure]:
    """From a click to the DOM that it asked for, and one event without a browser."""
    places = {
        "connector": (f"/o/{SLUG}/connections/new", CONNECTOR),
        "filter": (f"/o/{SLUG}/pipelines", FILTER),
        "stream": (f"/o/{SLUG}/pipelines/{PIPELINE}", STREAM),
    }
    figures: dict[str, Figure] = {}
    with browser() as page:
        for name, (path, script) in places.items():
            opened(page, path)
            spent = page.evaluate(script, given.clicks)
            figures[f"click_{name}_p50_s"] = Figure(percentile(spent, 0.5), CLICK_P50_S)
            figures[f"click_{name}_p95_s"] = Figure(percentile(spent, 0.95))
    figures["event_p50_s"] = Figure(percentile(asyncio.run(events(given.clicks)), 0.5))
    return figures


async def events(count: int) -> list[float]:
    """The same filter, sent and answered on the websocket alone."""
    api, ui = (f"http://localhost:{port}" for port in (settings.api_port, settings.ui_port))
    cookie = await asyncio.to_thread(signed_in, api)
    path = f"/o/{SLUG}/pipelines"
    async with PanelSocket(api, ui, cookie, path, {"org_slug": SLUG}) as socket:
        return [
            await socket.send(FILTER_EVENT, q="", status=("paused", "")[n % 2])
            for n in range(count)
        ]


def following(page: Page, live: str) -> dict[str, Figure]:
    """20 s of 100 lines a second: the longest the page stood still, and how late a line is."""
    org_id = aio.run(_org_id())
    page.evaluate(WATCH)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.5):
            write(org_id, aio.run(_run_id(live)), 50)

    writer = threading.Thread(target=work)
    writer.start()
    page.wait_for_timeout(20_000)
    stop.set()
    writer.join()
    return {"live_longest_still_s": Figure(page.evaluate("window.longest") / 1000)}


async def _org_id() -> object:
    return (await orgs.get(OPERATOR, SLUG)).id


async def _run_id(text: str) -> object:
    async with org_scope(OPERATOR, SLUG) as scope:
        newest = await runs.list_runs(scope, pipeline=PIPELINE, limit=5)
    return next(one.id for one in newest.items if str(one.id) == text)


def opened(page: Page, path: str) -> float:
    """Seconds from the address to the data."""
    began = time.perf_counter()
    page.goto(path, wait_until="commit")
    page.locator("h1").wait_for()
    page.locator(".bones").first.wait_for(state="detached")
    return time.perf_counter() - began


@contextmanager
def browser() -> Iterator[Page]:
    """Chromium, signed in."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_page(base_url=f"http://localhost:{settings.ui_port}")
        page.goto("/login")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/overview")
        yield page
        chromium.close()


async def crowd(given: Given) -> list[float]:
    """All browsers at once; how long each look took."""
    api = f"http://localhost:{settings.api_port}"
    cookie = await asyncio.to_thread(signed_in, api)
    ready, until = asyncio.Barrier(given.browsers), given.seconds
    spent = await asyncio.gather(
        *(_visit(api, cookie, ready, until) for _ in range(given.browsers))
    )
    return [one for visit in spent for one in visit]


def signed_in(api: str) -> str:
    """A session's cookie."""
    body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
    request = Request(f"{api}/api/v1/auth/login", body, {"content-type": "application/json"})
    with urlopen(request) as answer:
        return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def _visit(api: str, cookie: str, ready: asyncio.Barrier, seconds: float) -> list[float]:
    path = f"/o/{SLUG}/overview"
    ui = f"http://localhost:{settings.ui_port}"
    async with PanelSocket(api, ui, cookie, path, {"org_slug": SLUG}) as socket:
        await ready.wait()
        until = time.monotonic() + seconds
        await asyncio.sleep(random.uniform(0, LOOKS_EVERY_S))
        spent = []
        while time.monotonic() < until:
            spent.append(await socket.send(POLL, _at=""))
            await asyncio.sleep(max(0, LOOKS_EVERY_S - spent[-1]))
        return spent


if __name__ == "__main__":
    main()
