"""What an interactive worker does for each kind of request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from etlfabric_dagster.errors import FabricError, NotFoundError
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.dbt_models import FormattedSql
from etlfabric_dagster.schemas.streams import CheckResult, Discovery
from etlfabric_dagster.services import (
    connection_answers,
    dbt_answers,
    dbt_editing,
    dbt_models,
    deliveries,
    interactive,
)
from etlfabric_dagster.services.scope import Actor, org_scope

Answer = Callable[[UUID, dict[str, Any]], Awaitable[dict[str, Any]]]

ANSWERS: dict[str, Answer] = {
    "check": connection_answers.answer_check,
    "discover": connection_answers.answer_discover,
    "sample": connection_answers.answer_sample,
    "change_dbt": dbt_answers.answer_change,
    "regenerate": dbt_answers.answer_regenerate,
    "format": dbt_editing.answer_format,
    "preview": dbt_answers.answer_preview,
    "compile": dbt_answers.answer_preview,
    "query": dbt_answers.answer_query,
    "test_alert": deliveries.answer_test,
}


SHAPES: dict[str, Callable[[dict[str, Any]], Value]] = {
    "check": CheckResult.model_validate,
    "discover": Discovery.model_validate,
    "preview": dbt_models.table_of,
    "compile": dbt_models.compiled_of,
    "query": dbt_models.table_of,
    "format": FormattedSql.model_validate,
}
"""Kinds whose answer people may fetch later, as they would have got it at once."""


async def fetch(actor: Actor, slug: str, request_id: UUID, *, wait_s: float) -> Value:
    """The answer to something this org asked before.

    Raises NotAnsweredYetError, NotFoundError, StackError, and what the work refused.
    """
    async with org_scope(actor, slug) as scope:
        org_id = scope.org_id
    kind, payload = await interactive.wait_for(org_id, request_id, wait_s)
    if kind not in SHAPES:
        raise NotFoundError(f"There is no answer {request_id}.", "Ask again.")
    return SHAPES[kind](payload)


async def answer(request_id: UUID) -> None:
    """Take a request, do it, write the answer. A second ring of the same request does nothing."""
    taken = await interactive.take(request_id)
    if taken is None:
        return
    org_id, kind, arguments = taken
    try:
        payload = await ANSWERS[kind](org_id, arguments)
    except FabricError as exc:
        await interactive.answer(request_id, None, exc)
    except Exception as exc:
        reference = request_id.hex[:8]
        log.error("request.failed", kind=kind, reference=reference, exc_info=True)
        unforeseen = FabricError(
            f"This failed in a way we did not expect ({type(exc).__name__})."
            f" It is logged as {reference}.",
            "Try again; if it repeats, send the reference to your operator.",
            code="unforeseen",
        )
        await interactive.answer(request_id, None, unforeseen)
    else:
        await interactive.answer(request_id, payload)
