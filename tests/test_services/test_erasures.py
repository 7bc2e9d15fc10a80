"""Erasing an org: closed at once, gone in the end, reported, by one of two who ask at once."""

from __future__ import annotations

import asyncio

import pytest

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.orgs import EraseReport
from etlfabric_dagster.services import erasures, orgs
from etlfabric_dagster.services.scope import OPERATOR
from tests.test_services.test_orgs import connect, relations_of


async def test_erase_reports_and_leaves_nothing(org, warehouse):
    conn = await connect(warehouse)
    await conn.execute(f"CREATE TABLE {warehouse.raw}.t (i int)")
    await conn.close()
    report = await erasures.erase(OPERATOR, org.slug)
    assert (report.schemas, report.roles) == (5, 4)
    assert await relations_of(org.id) == 0
    with pytest.raises(NotFoundError):
        await orgs.get(OPERATOR, org.slug)


async def test_org_that_is_to_be_erased_is_closed_at_once_and_found_until_it_is_gone(org):
    await erasures.request(OPERATOR, org.slug)

    assert (org.id, org.slug) in await erasures.requested()
    assert (await orgs.get(OPERATOR, org.slug)).status == "erasing"
    await erasures.erase(OPERATOR, org.slug)
    assert (org.id, org.slug) not in await erasures.requested()


async def test_an_org_is_erased_once_by_two_at_once(migrated, make_slug):
    slug = make_slug()
    await orgs.create(OPERATOR, slug, "Twice")
    both = [erasures.erase(OPERATOR, slug) for _ in range(2)]
    first, second = sorted(
        await asyncio.gather(*both, return_exceptions=True), key=lambda one: type(one).__name__
    )
    assert isinstance(first, EraseReport)
    assert first.schemas == 5
    assert isinstance(second, NotFoundError)
