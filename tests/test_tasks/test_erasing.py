"""An org that somebody asked to erase is erased by a worker, however often that is rung."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from etlfabric_dagster import aio
from etlfabric_dagster.config import Settings
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.services import erasures, orgs
from etlfabric_dagster.services.scope import OPERATOR
from etlfabric_dagster.tasks.erasing import erase_org


def test_task_erases_what_was_asked_for_and_nothing_else(
    migrated: Settings, make_slug: Callable[[], str]
) -> None:
    slug, other = make_slug(), make_slug()
    org, kept = (aio.run(orgs.create(OPERATOR, one, one)) for one in (slug, other))
    aio.run(erasures.request(OPERATOR, slug))

    erase_org(str(org.id))
    erase_org(str(org.id))
    erase_org(str(kept.id))

    with pytest.raises(NotFoundError):
        aio.run(orgs.get(OPERATOR, slug))
    assert aio.run(orgs.get(OPERATOR, other)).status == "active"
