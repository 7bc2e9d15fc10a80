"""Answers that were not there in time."""

from __future__ import annotations

from uuid import UUID

from etlfabric_dagster.api.deps import CurrentActor, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.api.waiting import LATER, WaitS
from etlfabric_dagster.schemas.dbt_models import CompiledModel, FormattedSql, TableResult
from etlfabric_dagster.schemas.streams import CheckResult, Discovery
from etlfabric_dagster.services import answers

router = org_router("answers")

Answer = CheckResult | Discovery | TableResult | CompiledModel | FormattedSql


@router.get("/{request}", responses=LATER)
async def get_answer(actor: CurrentActor, slug: Slug, request: UUID, wait_s: WaitS = 10) -> Answer:
    """What something that took long answers, as it would have at once."""
    found = await answers.fetch(actor, slug, request, wait_s=wait_s)
    assert isinstance(found, Answer)
    return found
