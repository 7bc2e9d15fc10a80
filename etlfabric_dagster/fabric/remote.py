"""An install elsewhere, over its HTTP API."""

from __future__ import annotations

import time
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx

from etlfabric_dagster.errors import (
    ConflictError,
    FabricError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StackError,
    UnauthenticatedError,
    error_from_dict,
)
from etlfabric_dagster.fabric.gateway import Here, Request

T = TypeVar("T")

API = "/api/v1/"
TRIES = 4
PAUSE_S = 0.25
MAX_PAUSE_S = 30
ANSWER_S = 330  # a pipeline's creation waits for a discovery and a parse
REPEATABLE = ("GET", "PUT", "DELETE", "PATCH")
_BUSY = (429, 502, 503, 504)
_BY_STATUS: dict[int, type[FabricError]] = {
    401: UnauthenticatedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidInputError,
    503: StackError,
}


class RemoteGateway:
    """Speaks to /api/v1 with a token. What may be sent twice is repeated when the network fails."""

    look_s = 0.5

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=_base(url),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=httpx.Timeout(ANSWER_S, connect=10),
            transport=transport,
        )

    def ask(self, here: Here[T], there: Request[T]) -> T:
        """Send the request; errors come back as the class they left with.

        Raises StackError when nobody answers.
        """
        if there.pages is None:
            return there.read(self._answer(there, there.params).content)
        items: list[Any] = []
        params = {"limit": 200, **there.params}
        while True:
            found, cursor = there.pages(self._answer(there, params).content)
            items += found
            if cursor is None:
                return tuple(items)  # pyright: ignore[reportReturnType] - T is this tuple
            params["cursor"] = cursor

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer(self, there: Request[Any], params: Any) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex} if there.method == "POST" else {}
        answer = self._send(
            there.method,
            there.path.lstrip("/"),
            there.content is None,
            json=there.json,
            params=params,
            content=there.content and there.content(),
            headers=headers,
        )
        while answer.status_code == httpx.codes.ACCEPTED:
            # only its path: the token never follows a location to another host
            later = httpx.URL(answer.headers["location"]).path.removeprefix(API)
            answer = self._send("GET", later, True, params={"wait_s": 30})
        if answer.is_success:
            return answer
        raise _error(answer)

    def _send(self, method: str, path: str, repeatable: bool, **given: Any) -> httpx.Response:
        for number in range(1, TRIES + 1):
            last = number == TRIES
            try:
                answer = self._client.request(method, path, **given)
            except httpx.ConnectError as exc:  # nothing was sent
                if last or not repeatable:
                    raise self._unreachable(exc) from exc
            except httpx.TransportError as exc:
                if last or not repeatable or method not in REPEATABLE:
                    raise self._unreachable(exc) from exc
            else:
                if last or not self._is_busy(answer, method, repeatable):
                    return answer
                time.sleep(_pause(answer, number))
                continue
            time.sleep(PAUSE_S * 2**number)
        raise AssertionError("the last try returns or raises")

    def _is_busy(self, answer: httpx.Response, method: str, repeatable: bool) -> bool:
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return repeatable
        return repeatable and method in REPEATABLE and answer.status_code in _BUSY

    def _unreachable(self, exc: httpx.TransportError) -> StackError:
        host = self._client.base_url.host
        return StackError(
            f"{host} cannot be reached ({type(exc).__name__}).",
            "Check the URL, and that the install runs: etlfabric status",
            code="unreachable",
        )


def _base(url: str) -> str:
    """The API's own URL from the install's. Raises InvalidInputError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise InvalidInputError(
            "That is not the URL of an install.",
            'Give one such as "https://fabric.example.com", without a login.',
            field="url",
        )
    return urljoin(f"{parts.scheme}://{parts.netloc}/", API.lstrip("/"))


def _pause(answer: httpx.Response, number: int) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), MAX_PAUSE_S) if asked.isdigit() else PAUSE_S * 2**number


def _error(answer: httpx.Response) -> FabricError:
    """The error that a problem tells; of the status alone when it is no problem of ours."""
    try:
        problem: dict[str, Any] = answer.json()
        facts = dict(problem["where"])
        said = {"message": problem["detail"], "remedy": problem["remedy"], "code": problem["code"]}
        return error_from_dict(facts | said | {"kind": problem["kind"]})
    except (ValueError, KeyError, TypeError):
        cls = _BY_STATUS.get(answer.status_code, FabricError)
        return cls(
            f"The server answered {answer.status_code} {answer.reason_phrase}.",
            "Check that the URL is that of an ETL Fabric install.",
        )
