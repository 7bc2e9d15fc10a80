"""A connection with a thousand streams, and how long the wizard's search takes to show the few."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page
from sqlalchemy import update

from etlfabric_dagster import aio
from etlfabric_dagster.models import Connection
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream, Discovery
from etlfabric_dagster.services import connections
from etlfabric_dagster.services.scope import OPERATOR, org_scope

STREAMS, FOUND = 1_000, 10
NAME = "wide"
SEARCH = """async ([part, found]) => {
  const find = document.querySelector('main input[type=search]');
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  set.call(find, part);
  const began = performance.now();
  find.dispatchEvent(new Event('input', { bubbles: true }));
  const rows = () => [...document.querySelectorAll('main tbody tr')];
  while (rows().length !== found || !rows().every((row) => row.innerText.includes(part)))
    await new Promise(requestAnimationFrame);
  return (performance.now() - began) / 1000; }"""


def discover(slug: str) -> str:
    """Add the connection; the path of the wizard's step that lists its streams."""
    aio.run(_discover(slug))
    return f"/o/{slug}/connections/new/postgresql?step=streams&name={NAME}"


def searched(page: Page, times: int) -> list[float]:
    """Seconds from the last letter until only what contains it is listed: ten of a thousand."""
    page.locator("main tbody tr").first.wait_for()
    return [page.evaluate(SEARCH, [f"_{40 + n % 50:03}", FOUND]) for n in range(times)]


async def _discover(slug: str) -> None:
    given: dict[str, Any] = {
        "columns": (ColumnInfo(name="id", type="bigint"), ColumnInfo(name="note", type="text")),
        "primary_key": ("id",),
        "row_estimate": 312_000,
    }
    names = (f"orders_of_every_customer_in_all_regions_{number:04}" for number in range(STREAMS))
    found = Discovery(streams=tuple(DiscoveredStream(name=name, **given) for name in names))
    config = {"dialect": "postgresql", "host": "127.0.0.1", "database": "shop", "username": "r"}
    async with org_scope(OPERATOR, slug) as scope:
        await connections.create(scope, NAME, "sql_database", config, {"password": "pw"})
        kept = update(Connection).where(Connection.name == NAME)
        await scope.session.execute(kept.values(discovery=found.model_dump(mode="json")))
