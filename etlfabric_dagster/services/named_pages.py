"""Pages of lists that are sorted by a unique name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services import paging

T = TypeVar("T")
Q = TypeVar("Q", bound=Select[Any])


def window(query: Q, name: InstrumentedAttribute[str], cursor: str | None, limit: int | None) -> Q:
    """The rows behind the cursor by name, and one more than the page holds."""
    by_code_point = name.collate("C")  # as Python sorts, whatever the database was made with
    query = query.order_by(by_code_point)
    if cursor is not None:
        query = query.where(by_code_point > paging.decode(cursor, str)[0])
    return query if limit is None else query.limit(limit + 1)


def is_behind(name: str, cursor: str | None) -> bool:
    """Whether a name from elsewhere belongs behind the cursor."""
    return cursor is None or name > paging.decode(cursor, str)[0]


def page(items: Sequence[T], limit: int | None, name: Callable[[T], str]) -> Page[T]:
    """The page of what `window` found; without a limit it is all."""
    return paging.page(items, len(items) if limit is None else limit, lambda one: (name(one),))
