"""What every page of the panel promises, whatever it shows."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

WIDE, NARROW = 1280, 390
CLIPPED = """() => [...document.querySelectorAll('main *')].filter((one) =>
  getComputedStyle(one).textOverflow === 'ellipsis' && one.scrollWidth > one.clientWidth + 1
  && !one.closest('[title]:not([title=""]), .sr')
  && !one.querySelector('[title]:not([title=""])')).map((one) => one.outerHTML.slice(0, 120))"""


def drawn(page: Page) -> None:
    """Until the data is there."""
    page.locator("h1").first.wait_for()
    expect(page.locator(".bones")).to_have_count(0)


def serious(page: Page) -> list[str]:
    """What axe finds that matters."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'][:160] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def kept(page: Page) -> list[str]:
    """What is broken of them on a desk by day and on a phone by night."""
    return looks(page, "light", WIDE) + looks(page, "dark", NARROW)


def looks(page: Page, scheme: str, width: int) -> list[str]:
    """axe, no sideways scrolling, nothing cut without its whole text near."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    where = f"{scheme} {width}: "
    page.locator(f"html.{scheme}").wait_for()
    found = [where + fault for fault in serious(page)]
    found += [where + fault for fault in sideways(page, width)]
    return found + [f"{where}cut: {one}" for one in page.evaluate(CLIPPED)]


def sideways(page: Page, width: int) -> list[str]:
    """What is wrong when the page is wider than its window."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px wide at {width}"] if wide > width else []
