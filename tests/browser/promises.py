"""What every page of the panel promises, whatever it shows."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

WIDE, NARROW = 1280, 390
ZOOMED = 640  # what 200 % leaves of 1280
CLIPPED = """() => [...document.querySelectorAll('main *')].filter((one) =>
  getComputedStyle(one).textOverflow === 'ellipsis' && one.scrollWidth > one.clientWidth + 1
  && !one.closest('[title]:not([title=""]), .sr')
  && !one.querySelector('[title]:not([title=""])')).map((one) => one.outerHTML.slice(0, 120))"""

STOP = """() => { const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  const ring = Math.max(parseFloat(style.outlineWidth) || 0, style.boxShadow === 'none' ? 0 : 2);
  return { said: (one.innerText || one.ariaLabel || one.placeholder || one.tagName).trim(),
    nth: [...document.querySelectorAll('*')].indexOf(one), ring }; }"""
"""What has the focus, and how wide its ring is."""
COVERED = """() => { const one = document.activeElement.closest('label') || document.activeElement;
  const { left, right, top, bottom } = one.getClientRects()[0];
  const hit = (y) => document.elementFromPoint((left + right) / 2, y);
  return [top + 3, bottom - 3].map(hit).filter((it) => !it || !one.contains(it))
    .map((it) => `${one.outerHTML.slice(0, 120)} below ${it?.outerHTML.slice(0, 80)}`); }"""
"""What lies over the element that has the focus."""
BENEATH = """() => { const found = [];
  const bars = [...document.querySelectorAll('body *')].filter((one) =>
    ['sticky', 'fixed'].includes(getComputedStyle(one).position));
  const stops = [...document.querySelectorAll(
      ':is(a[href], button, input, select, textarea, summary)')]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0
      && !one.disabled && !one.closest('.sr'));
  for (const one of [...stops, ...stops.reverse()]) {  // down to the end, and back up
    one.focus();
    const whole = one.closest('label') || one;
    const { left, right, top, bottom } = whole.getClientRects()[0];
    for (const y of [top + 3, bottom - 3]) {
      const hit = document.elementFromPoint((left + right) / 2, y);
      const bar = bars.find((it) => it.contains(hit) && !it.contains(whole));
      if (document.activeElement === one && (bar || !hit))
        found.push(`${one.outerHTML.slice(0, 120)} below ${bar?.outerHTML.slice(0, 80)}`); } }
  return [...new Set(found)]; }"""
"""What gets the focus below a bar that sticks, or out of sight."""
OFFERED = """() => [...document.querySelectorAll(
    'main :is(a[href], button, input, select, textarea, summary, th)')]
  .filter((one) => one.checkVisibility() && !one.closest('.wide-only, .narrow-only'))
  .map((one) => one.ariaLabel || one.innerText.trim() || one.placeholder || one.name)
  .filter(Boolean)"""
"""What can be pressed, filled in or read under a head; a menu and what stands for it left out."""
UNTOLD = """() => { const found = [];
  const look = (one) => { const style = getComputedStyle(one);
    return [style.backgroundColor, style.clipPath, style.borderTopStyle, style.borderBottomColor,
      style.borderBottomWidth].join(); };
  const canvas = getComputedStyle(document.documentElement).backgroundColor;
  for (const one of document.querySelectorAll(':is(.spark, .bars, .durations, .time-line) i, '
      + '.bar > i, .mark, .side .dot')) {
    const style = getComputedStyle(one);
    if (style.backgroundColor === canvas && style.borderTopStyle === 'none')
      found.push(`not seen: ${one.outerHTML.slice(0, 80)}`); }
  for (const lane of document.querySelectorAll('.spark, .durations, .time-line .line')) {
    const looks = {};
    for (const one of lane.querySelectorAll('i'))
      looks[one.className.replace(/css-\\S+/, '')] = look(one);
    const all = Object.values(looks);
    if (new Set(all).size < all.length) found.push(`alike: ${Object.keys(looks)}`); }
  for (const one of document.querySelectorAll('.badge, .state-icon'))
    if (!one.querySelector('svg')) found.push(`no icon: ${one.outerHTML.slice(0, 80)}`);
  for (const one of document.querySelectorAll('[aria-current="page"]')) {
    const rest = [...one.parentElement.children].filter((it) => it.className === one.className);
    if (rest.some((it) => it !== one && look(it) === look(one)))
      found.push(`not told as chosen: ${one.outerHTML.slice(0, 80)}`); }
  return found; }"""
"""What is told by color alone, where the colors are the reader's."""
SMALL = """(least) => [...document.querySelectorAll(
    'main :is(button, input, select, summary, .btn)')]
  .filter((one) => one.checkVisibility() && !one.closest('.sr, .hidden, dialog:not([open])'))
  .map((one) => { const { width, height } = (one.closest('label') || one).getBoundingClientRect();
    const around = -2 * (parseFloat(getComputedStyle(one, '::after').left) || 0);
    return [one, Math.min(width, height) + around]; })
  .filter(([one, size]) => size > 1
    && size < (one.matches('.btn:not(.linkish), .input, .select') ? least : 24))
  .map(([one, size]) => `${size} px: ${one.outerHTML.slice(0, 100)}`)"""
"""What a finger, or a pointer, misses."""
UNSEEN = """() => [...document.querySelectorAll('.tabs [aria-current="page"]')].filter((one) => {
  const [own, bar] = [one, one.parentElement].map((it) => it.getBoundingClientRect());
  return own.left < bar.left - 1 || own.right > bar.right + 1; }).map((one) => one.innerText)"""
"""The tab one is on, where the bar does not show it."""
MOVING = """() => document.getAnimations().filter((one) => one.playState === 'running')
  .map((one) => one.effect.target.outerHTML.slice(0, 80))"""
WIDEST = """(width) => [...document.querySelectorAll('body *')]
  .filter((one) => one.getBoundingClientRect().right > width)
  .map((one) => one.outerHTML.slice(0, 100)).slice(-5)"""
FOLLOW = """(to) => {
  history.pushState({ idx: (history.state?.idx ?? 0) + 1, key: to, usr: null }, '', to);
  dispatchEvent(new PopStateEvent('popstate', { state: history.state })); }"""
BREAKABLE = """() => { const found = [];
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let one = texts.nextNode(); one; one = texts.nextNode()) {
    const part = one.data.match(/\\d (m?s|min|h|[kMGT]?B|[kM]|of \\d)(?![\\w-])/);
    const style = getComputedStyle(one.parentElement);
    if (part && !one.parentElement.closest('code, pre, .log, .cells, .sr, option')
        && style.textWrapMode !== 'nowrap') found.push(one.data.slice(0, 100)); }
  return found; }"""
"""A number that a narrow window parts from its unit."""
AGAIN = (
    f"(before) => {{ const now = ({OFFERED})(); return before.every((one) => now.includes(one)); }}"
)
"""Whether what was offered is offered again."""
TELL = """window.WebSocket = class extends WebSocket { set onmessage(hear) {
    super.onmessage = (event) => { hear(event); window.heard = (window.heard ?? '') + event.data; };
    window.tell = (delta) =>
      hear({ data: '42/_event,' + JSON.stringify(['event', { delta, events: [] }]) }); } }"""
"""What a page hears when the test speaks as the server."""
STILL = """() => { const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  return document.documentElement.classList.contains(dark ? 'dark' : 'light')
    && document.getAnimations().every((one) => one.playState !== 'running'
      || one.effect.getComputedTiming().iterations === Infinity); }"""
"""The theme stands, and what fades in has come: a color in between is nobody's."""


def follow(page: Page, path: str) -> None:
    """To another page of the panel, as a link leads there: nothing is loaded anew."""
    page.evaluate(FOLLOW, path)


def drawn(page: Page) -> None:
    """Until the data is there."""
    page.locator("h1").first.wait_for()
    expect(page.locator(".bones")).to_have_count(0)


def serious(page: Page) -> list[str]:
    """What axe finds that matters, once nothing changes its looks any more."""
    page.wait_for_function(STILL)
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
    """axe, no sideways scrolling, nothing cut without its whole text near, nothing that moves;
    and what is pressed is large enough.
    """
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    where = f"{scheme} {width}: "
    found = [where + fault for fault in serious(page)]
    found += [where + fault for fault in sideways(page, width)]
    least = 44 if width == NARROW else 24
    found += [f"{where}small: {one}" for one in page.evaluate(SMALL, least)]
    found += [f"{where}moves: {one}" for one in page.evaluate(MOVING)]
    found += [f"{where}breaks: {one}" for one in page.evaluate(BREAKABLE)]
    found += [f"{where}tab out of sight: {one}" for one in page.evaluate(UNSEEN)]
    return found + [f"{where}cut: {one}" for one in page.evaluate(CLIPPED)]


def sideways(page: Page, width: int) -> list[str]:
    """What is wrong when the page is wider than its window."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide <= width:
        return []
    return [f"{wide} px wide at {width}: {page.evaluate(WIDEST, width)}"]


def covered(page: Page) -> list[str]:
    """What hides the element that has the focus."""
    return [str(one) for one in page.evaluate(COVERED)]


def beneath(page: Page) -> list[str]:
    """What a bar that sticks covers of what gets the focus: in low windows, a phone's and a desk's.

    The keyboard itself is asked on a page or two: a browser scrolls for it as for `focus()`.
    """
    found = []
    for width, height in ((NARROW, 500), (WIDE, 420)):
        page.set_viewport_size({"width": width, "height": height})
        found += [f"{width} × {height}: {one}" for one in page.evaluate(BENEATH)]
    return found


def announced(page: Page, said: str) -> Locator:
    """A region that tells the outcome of what was done to who does not see it: well, or not."""
    regions = page.get_by_role("status").or_(page.get_by_role("alert"))
    return regions.filter(has_text=said).first


def offered(page: Page) -> list[str]:
    """Names of what can be pressed, filled in or read under a head."""
    return [str(one) for one in page.evaluate(OFFERED)]


def not_again(page: Page, before: list[str]) -> list[str]:
    """What was offered and is not, when what was read again has come."""
    try:
        page.wait_for_function(AGAIN, arg=before, timeout=10_000)
    except PlaywrightTimeout:
        return sorted({*before} - {*offered(page)})
    return []


def without_colors(page: Page) -> list[str]:
    """What is lost where the reader's own few colors stand for ours."""
    page.set_viewport_size({"width": WIDE, "height": 800})
    page.emulate_media(forced_colors="active")
    page.keyboard.press("Tab")
    found = [f"forced colors: {one}" for one in page.evaluate(UNTOLD)]
    if (page.evaluate(STOP) or {"ring": 2})["ring"] < 2:
        found.append("forced colors: no ring")
    page.emulate_media(forced_colors="none")
    return found


def zoomed(page: Page, before: list[str]) -> list[str]:
    """What 200 % takes away of what was there at 100 %."""
    page.set_viewport_size({"width": ZOOMED, "height": 400})
    there = set(offered(page))
    lost = [f"lost at 200 %: {one}" for one in before if one not in there]
    return lost + sideways(page, ZOOMED)
