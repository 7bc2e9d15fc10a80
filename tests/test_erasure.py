"""Erasing an org everywhere, beside a worker that the scheduler rang for the same org."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from etlfabric_dagster.erasure import erase_org
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.orchestration import erasure as records
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.tasks import erasing


async def test_who_erases_is_told_what_a_faster_worker_removed(
    org: OrgOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase_records = records.erase_records

    def slowly(slug: str, run_ids: Sequence[UUID]) -> int:
        erasing.erase_org(str(org.id))  # the worker has its own reference to the function
        return erase_records(slug, run_ids)

    monkeypatch.setattr(records, "erase_records", slowly)
    report = await asyncio.to_thread(erase_org, OPERATOR, org.slug)
    assert (report.slug, report.schemas, report.roles) == (org.slug, 5, 3)


async def test_org_that_is_not_there_cannot_be_erased(org: OrgOut) -> None:
    with pytest.raises(NotFoundError):
        await asyncio.to_thread(erase_org, OPERATOR, f"not_{org.slug}")
