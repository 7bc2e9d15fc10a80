"""What only the remote gateway does: repeat, wait for late answers, tell what is no install."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from etlfabric_dagster import (
    Fabric,
    FabricError,
    InvalidInputError,
    StackError,
    UnauthenticatedError,
)
from etlfabric_dagster.fabric import remote
from etlfabric_dagster.fabric.gateway import sent
from etlfabric_dagster.schemas.streams import CheckResult

GOOD = {"ok": True}


def gateway(monkeypatch, answer: Callable[[httpx.Request], httpx.Response]):
    """One that is answered by `answer` and never pauses."""
    monkeypatch.setattr(remote, "PAUSE_S", 0)
    return remote.RemoteGateway("http://x.test", "token", httpx.MockTransport(answer))


async def nowhere(_actor):
    raise AssertionError("the services here were asked")


@pytest.mark.parametrize(
    ("method", "failure", "calls"),
    [
        ("GET", httpx.ReadError("cut"), 4),
        ("POST", httpx.ReadError("cut"), 1),
        ("POST", httpx.ConnectError("closed"), 4),
    ],
    ids=["get_cut", "post_cut", "post_closed"],
)
def test_only_what_may_be_sent_twice_is_repeated(monkeypatch, method, failure, calls):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise failure

    with pytest.raises(StackError) as refused:
        gateway(monkeypatch, answer).ask(nowhere, sent(method, "x", CheckResult))
    assert (len(seen), refused.value.code) == (calls, "unreachable")


def test_late_answer_is_asked_for_until_it_is_there(monkeypatch):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "x.test"
        asked.append((request.method, request.url.path))
        late = len(asked) < 3
        headers = {"location": "http://elsewhere.test/api/v1/orgs/a/answers/1"}
        return httpx.Response(202, headers=headers) if late else httpx.Response(200, json=GOOD)

    found = gateway(monkeypatch, answer).ask(nowhere, sent("POST", "check", CheckResult))
    assert found.ok
    assert asked == [
        ("POST", "/api/v1/check"),
        ("GET", "/api/v1/orgs/a/answers/1"),
        ("GET", "/api/v1/orgs/a/answers/1"),
    ]


def test_page_of_another_program_is_told(monkeypatch):
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<html>")

    with pytest.raises(FabricError, match="404 Not Found") as refused:
        gateway(monkeypatch, answer).ask(nowhere, sent("GET", "x", CheckResult))
    assert "URL" in refused.value.remedy


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://u:p@x", "http://"])
def test_url_that_is_none_is_refused(url):
    with pytest.raises(InvalidInputError) as refused:
        Fabric.connect(url=url, token="t")
    assert refused.value.where == {"field": "url"}


def test_url_needs_a_token():
    with pytest.raises(InvalidInputError):
        Fabric.connect(url="http://x.test")


def test_wrong_token_is_refused(fabrics):
    url = str(fabrics["remote"]._gateway._client.base_url)
    with Fabric.connect(url, "etlf_wrong") as stranger, pytest.raises(UnauthenticatedError):
        stranger.orgs.list()
