"""Cursors of lists: the sort key of a page's last row, opaque to callers."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.base import Page

T = TypeVar("T")


def page(items: Sequence[T], limit: int, key: Callable[[T], Sequence[Any]]) -> Page[T]:
    """A page of rows that were fetched with `limit + 1`: the one too many says there are more."""
    if len(items) <= limit:
        return Page(items=tuple(items))
    return Page(items=tuple(items[:limit]), next=encode(*key(items[limit - 1])))


def encode(*key: Any) -> str:
    """A cursor from a row's sort key."""
    text = json.dumps(key, default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, *types: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The sort key again, each part through its type. Raises InvalidInputError."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return tuple(make(part) for make, part in zip(types, parts, strict=True))
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError) as exc:
        raise InvalidInputError(
            "The page cursor cannot be read.", "Start again from the first page.", field="cursor"
        ) from exc
