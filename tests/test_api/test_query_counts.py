"""No list asks the database more as it grows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from benchmarks import api as benchmark
from benchmarks import seed
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_api.conftest import Person

FEW, MANY = 3, 40
LISTS = {one.name: one for one in benchmark.lists()}


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this thread sends to the database while the block runs; workers poll in others."""
    sent: list[str] = []
    here = threading.get_ident()

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == here:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
async def grown(migrated, client, register, make_slug) -> dict[str, tuple[int, int, int]]:
    """Per list: statements with few rows, with many, and how many items the page had then."""
    org = await orgs.create(OPERATOR, make_slug(), "Grown")
    person = await register(org, Role.OWNER, operator=True)
    await seed.fill(org.id, 1, FEW)
    await seed.add_runs(org.id, 1, FEW)
    few = {name: await count(client, org.slug, person, one) for name, one in LISTS.items()}
    await seed.fill(org.id, FEW + 1, MANY)
    await seed.add_runs(org.id, FEW + 1, MANY)
    many = {name: await count(client, org.slug, person, one) for name, one in LISTS.items()}
    return {name: (few[name][0], *many[name]) for name in LISTS}


async def count(client, slug: str, person: Person, one: benchmark.List) -> tuple[int, int]:
    url = one.url(slug)
    await client.get(url, headers=person.headers)  # what is done once per process
    with statements() as sent:
        answer = await client.get(url, headers=person.headers)
    assert answer.status_code == 200, f"{url}: {answer.text}"
    return len(sent), len(answer.json().get("items", [None]))


@pytest.mark.parametrize("name", LISTS)
def test_list_asks_as_often_with_many_rows_as_with_few(grown, name):
    few, many, _items = grown[name]
    assert 0 < many <= few, f"{few} statements with {FEW} rows, {many} with {MANY}"
    assert many <= 12


def test_the_lists_were_not_empty(grown):
    empty = {name for name, (_, _, items) in grown.items() if not items}
    assert empty <= benchmark.NOT_SEEDED
