"""Answers of requests that named an `Idempotency-Key`: the same request again gets the same answer.

A key is the person's own and kept for a day. Answers are sealed: one may hold a token that is shown
once. Only successes are kept, so that a refused request can be corrected and sent again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from etlfabric_dagster import clock
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import ConflictError, InvalidInputError
from etlfabric_dagster.models import IdempotencyKey
from etlfabric_dagster.services.vault import vault

KEPT = timedelta(days=1)
ABANDONED = timedelta(minutes=3)
"""A request without an answer after this died with its process; no request takes longer."""
MAX_KEY = 200


@dataclass(frozen=True)
class Answer:
    """Status and body as they left."""

    status: int
    body: str


async def reserve(user_id: UUID, key: str, request: bytes) -> tuple[UUID, Answer | None]:
    """Take a key for a request, or find the answer it got before.

    Args:
        request: method, path and body.

    Raises:
        InvalidInputError: the key was used for another request, or is none.
        ConflictError: the first request is still going on.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise InvalidInputError(
            "The Idempotency-Key cannot be used.", f"Send 1 to {MAX_KEY} visible characters."
        )
    digest, reserved = hashlib.sha256(request).digest(), uuid4()
    async with get_session() as session:
        old = IdempotencyKey.created_at < clock.now() - KEPT
        await session.execute(delete(IdempotencyKey).where(old))
        abandoned = IdempotencyKey.created_at < clock.now() - ABANDONED
        await session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.user_id == user_id, IdempotencyKey.sealed.is_(None), abandoned
            )
        )
        values = {"id": reserved, "user_id": user_id, "key": key, "request_digest": digest}
        await session.execute(insert(IdempotencyKey).values(**values).on_conflict_do_nothing())
        row = (
            await session.scalars(
                select(IdempotencyKey).where(
                    IdempotencyKey.user_id == user_id, IdempotencyKey.key == key
                )
            )
        ).one()
    if row.id == reserved:
        return reserved, None
    if row.request_digest != digest:
        raise InvalidInputError(
            "This Idempotency-Key was used for another request.",
            "Send a new key with a new request.",
            code="idempotency_key_reused",
        )
    if row.sealed is None:
        raise ConflictError(
            "The first request with this Idempotency-Key is still going on.",
            "Wait a moment, then send it again.",
            code="in_progress",
        )
    kept = vault().open(row.id, user_id, row.sealed)
    return row.id, Answer(int(kept["status"]), kept["body"])


async def keep(user_id: UUID, reserved: UUID, answer: Answer) -> None:
    """Store the answer of a request."""
    sealed = vault().seal(reserved, user_id, {"status": str(answer.status), "body": answer.body})
    async with get_session() as session:
        row = update(IdempotencyKey).where(IdempotencyKey.id == reserved)
        await session.execute(row.values(sealed=sealed))


async def release(reserved: UUID) -> None:
    """Give a key back: its request was refused or failed. Idempotent."""
    async with get_session() as session:
        await session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == reserved))
