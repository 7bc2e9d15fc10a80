"""What every value shares."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

T = TypeVar("T")


class Value(BaseModel):
    """A frozen value; unknown fields are refused so that typing errors surface at the edge."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _no_double_underscore(name: str) -> str:
    if "__" in name:
        raise ValueError("must not contain '__': it separates connection and stream in table names")
    return name


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""An org's immutable name in URLs, CLI and Dagster."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$"),
    AfterValidator(_no_double_underscore),
]
"""A connection's or pipeline's name."""


class Page(Value, Generic[T]):
    """One page of a list; `next` is an opaque cursor, None on the last page."""

    items: tuple[T, ...]
    next: str | None = None
