"""The one seam between `Fabric` and an install: the services of this machine, or HTTP.

Every method of `Fabric` says both: which service answers here, and which request asks the same
there (docs/adr/0016-one-face-two-gateways.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Generic, Protocol, TypeVar, cast
from urllib.parse import quote

from pydantic import TypeAdapter

from etlfabric_dagster.aio import run
from etlfabric_dagster.db import dispose
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services.scope import Actor

T = TypeVar("T")
Here = Callable[[Actor], Awaitable[T]]


@dataclass(frozen=True)
class Request(Generic[T]):
    """A question over HTTP, below /api/v1, and how its answer is read."""

    method: str
    path: str
    read: Callable[[bytes], T]
    json: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    content: Callable[[], BinaryIO] | None = None
    """Opens the file that is the body; it is read once, so that the request is not repeated."""
    pages: Callable[[bytes], tuple[Any, str | None]] | None = None
    """Of a list that is wanted whole: a page's items and the next cursor."""


class Gateway(Protocol):
    """Where answers come from."""

    look_s: float
    """How often to look whether something has ended."""

    def ask(self, here: Here[T], there: Request[T]) -> T:
        """The answer. Blocking. Raises FabricError."""
        ...

    def close(self) -> None:
        """Give back what it holds. Idempotent."""
        ...


class LocalGateway:
    """The services, in this process, on this install's database."""

    look_s = 0.05

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def ask(self, here: Here[T], there: Request[T]) -> T:
        """Call the service on the background loop."""
        return run(_awaited(here, self._actor))

    def close(self) -> None:
        """Give back the database connections."""
        run(dispose())


async def _awaited(here: Here[T], actor: Actor) -> T:
    return await here(actor)


def at(*parts: object) -> str:
    """A path of names; slashes stay, they part the folders of dbt files."""
    return "/".join(quote(str(part)) for part in parts)


def sent(method: str, path: str, shape: type[T], json: Any = None, /, **params: Any) -> Request[T]:
    """A request whose answer is one value."""
    given = {name: value for name, value in params.items() if value is not None}
    return Request(method, path, TypeAdapter(shape).validate_json, json, given)


def nothing(method: str, path: str) -> Request[None]:
    """A request whose answer is empty."""
    return Request(method, path, lambda _body: None)


def whole(path: str, shape: type[T]) -> Request[tuple[T, ...]]:
    """A list, all pages of it."""
    page: TypeAdapter[Any] = TypeAdapter(cast("Any", Page)[shape])

    def read(body: bytes) -> tuple[tuple[T, ...], str | None]:
        found = page.validate_json(body)
        return found.items, found.next

    return Request("GET", path, lambda body: read(body)[0], pages=read)
