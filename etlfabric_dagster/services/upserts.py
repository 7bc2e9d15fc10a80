"""Rows that are there already, all but the first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_dagster.models.base import Base


async def put(
    session: AsyncSession,
    model: type[Base],
    key: Mapping[str, Any],
    changed: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    """Change the row with this unique `key`, or add it with what is `new`.

    Safe beside others who do the same. The update comes first because SQLAlchemy's cache leaves
    `ON CONFLICT` out and compiles it each time: a millisecond and more, on the way of every run.
    """
    same = [getattr(model, name) == value for name, value in key.items()]
    statement = update(model).where(*same).values(**changed).returning(model.id)
    if await session.scalar(statement.execution_options(synchronize_session=False)) is None:
        added = insert(model).values(**key, **new)
        await session.execute(
            added.on_conflict_do_update(index_elements=list(key), set_=dict(changed))
        )
