"""Where a stored code pointer leads (ADR 11: only the newest published version is kept)."""

from __future__ import annotations

import asyncio

import pytest

from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.orchestration import repositories
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.orchestration.repositories import RepositoryCache
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import snapshots
from tests.test_orchestration.conftest import add_pipeline


async def test_a_pointer_to_a_version_that_is_gone_leads_to_the_newest(
    published: OrgOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = (await snapshots.state_of(published.id)).published
    await add_pipeline(published, "later", "orders")
    assert await snapshots.publish(published.id, encode) > gone
    monkeypatch.setattr(repositories, "cache", RepositoryCache())  # as another process has it
    pointer = repositories.code_pointer(published.slug, gone)
    repository = await asyncio.to_thread(pointer.load_target)
    assert {"shop", "later"} <= {job.name for job in repository.get_all_jobs()}


async def test_a_pointer_to_an_org_that_is_not_published_says_so(org: OrgOut) -> None:
    pointer = repositories.code_pointer(org.slug, 1)
    with pytest.raises(NotFoundError, match="no published definitions"):
        await asyncio.to_thread(pointer.load_target)
