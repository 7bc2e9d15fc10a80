"""Takes docs/images/*.png: the panel's pages as they are, on a running stack with the demo.

`uv run --with pillow python -m benchmarks.screens [NAME …]` after `uv run etlfabric up --detach`.
To look at them otherwise: `--width 390 --dark --into FOLDER`.
"""

from __future__ import annotations

import argparse
import io
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image  # pyright: ignore[reportMissingImports]
from playwright.sync_api import Page, sync_playwright

from benchmarks.pictures import DOORS, NAMES, OPENED, PAGES
from etlfabric_dagster import aio
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError
from etlfabric_dagster.models import Membership
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import invitations, orgs, runs, users
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from etlfabric_ui import routes

FOLDER = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM = "/usr/bin/chromium-headless-shell"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
ORG = "demo"
EMAIL, INVITED = "sam@acme.example", "kim@acme.example"
HEIGHT = 800
COLORS = 64
MOST_BYTES = 80_000


def main() -> None:
    """Take them all, or those that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help=", ".join(NAMES))
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--into", type=Path, default=FOLDER)
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    wanted = set(given.names or NAMES)
    with person() as password, browser(given.width, dark=given.dark) as page:
        facts = aio.run(parts())
        for name, route in DOORS.items():
            if name in wanted:
                take(page, routes.to(route, **facts), given.into / f"{name}.png")
        sign_in(page, password)
        for name, route in PAGES.items():
            if name in wanted:
                take(page, routes.to(route, **facts), given.into / f"{name}.png")
        for name, (route, opener) in OPENED.items():
            if name in wanted:
                take(page, routes.to(route, **facts), given.into / f"{name}.png", opener)


@contextmanager
def person() -> Iterator[str]:
    """An owner of the demo's org who is an operator too, while this is open; their password."""
    password = secrets.token_urlsafe(16)
    aio.run(_join(password))
    try:
        yield password
    finally:
        aio.run(_leave())


async def _join(password: str) -> None:
    try:
        found = await users.create(OPERATOR, EMAIL, operator=True, name="Sam Novak")
        org = await orgs.get(OPERATOR, ORG)
        async with get_session() as session:
            session.add(Membership(org_id=org.id, user_id=found.id, role="owner"))
    except ConflictError:  # from the last time
        await users.set_disabled(OPERATOR, EMAIL, disabled=False)
    await users.set_password(EMAIL, password)


async def _leave() -> None:
    await users.set_disabled(OPERATOR, EMAIL, disabled=True)


async def parts() -> dict[str, str]:
    """What the addresses name: the demo's shop, its newest run, and an invitation to its org."""
    async with org_scope(OPERATOR, ORG) as scope:
        run = (await runs.list_runs(scope, pipeline="shop", limit=1)).items[0]
        for one in (await invitations.list_open(scope)).items:
            if one.email == INVITED:  # from the last time
                await invitations.revoke(scope, one.id)
    made = await invitations.invite(OPERATOR, ORG, INVITED, Role.EDITOR)
    return {
        **{"org_slug": ORG, "target_slug": ORG, "run_id": str(run.id)},
        **{"connection_name": "shop", "pipeline_name": "shop", "connector_key": "postgresql"},
        **{"schema_name": "marts", "table_name": "daily_orders"},
        **{"...splat": "marts/daily_orders.sql", "token": made.link.rpartition("/")[2]},
    }


@contextmanager
def browser(width: int, *, dark: bool) -> Iterator[Page]:
    """A window of Debian's chromium on the panel."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(
            base_url=f"http://localhost:{settings.ui_port}",
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        yield context.new_page()
        chromium.close()


def sign_in(page: Page, password: str) -> None:
    """Through the form."""
    page.goto("/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: urlsplit(url).path != "/login")


def take(page: Page, path: str, file: Path, opener: str = "") -> None:
    """The page once its data is there, in few colors; `opener` names the button that is pressed."""
    page.goto(path)
    page.locator("h1").wait_for()
    page.locator(".bones").first.wait_for(state="detached")
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    if opener:
        page.get_by_role("button", name=opener).click()
        page.get_by_role("menu").wait_for()
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    sys.stdout.write(f"{file.name}: {size:,} bytes\n")
    if size > MOST_BYTES:
        sys.exit(f"{file.name} is larger than {MOST_BYTES:,} bytes: take fewer colors.")


if __name__ == "__main__":
    main()
