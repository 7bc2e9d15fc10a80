"""What a child says: no secret in its text, no name masked by a short password."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from etlfabric_dagster.sandbox.emitter import Emitter
from etlfabric_dagster.schemas.jobs import (
    CheckJob,
    DoneEvent,
    FailedEvent,
    LogEvent,
    ProgressEvent,
    SourceConfig,
    StreamEvent,
)
from etlfabric_dagster.schemas.runs import ErrorInfo, StreamResult

KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----"


class Ear:
    """Both ends of a child's socket."""

    def __init__(self, *secrets: str) -> None:
        self._ours, theirs = socket.socketpair()
        named = {str(number): secret for number, secret in enumerate(secrets)}
        job = CheckJob(source=SourceConfig(connector="x", config={}, secrets=named))
        self._theirs = theirs
        self.emit = Emitter(theirs, job)

    def close(self) -> list[dict[str, Any]]:
        """Everything that was said."""
        self._theirs.close()
        with self._ours, self._ours.makefile("r") as lines:
            return [json.loads(line) for line in lines]


@pytest.fixture
def ear() -> Ear:
    return Ear("shop", "canary-8813-x/y", KEY)


@pytest.mark.parametrize(
    "event",
    [
        LogEvent(message="login canary-8813-x/y"),
        FailedEvent(error=ErrorInfo(message="canary-8813-x/y", where={"a": "canary-8813-x/y"})),
        FailedEvent(error=ErrorInfo(message="m"), detail="canary-8813-x%2Fy"),
        FailedEvent(error=ErrorInfo(message="m"), detail="MIIEvQIBADANBgkqhkiG9w0B"),
        DoneEvent(payload={"rows": [["canary-8813-x/y"]]}),
        StreamEvent(name="s", result=StreamResult(warnings=("canary-8813-x/y",))),
        StreamEvent(name="s", result=StreamResult(error=ErrorInfo(message="canary-8813-x/y"))),
    ],
)
def test_secrets_are_masked_wherever_there_is_text(ear: Ear, event: Any) -> None:
    ear.emit(event)
    said = json.dumps(ear.close())
    assert "canary" not in said
    assert "MIIE" not in said


def test_a_short_password_masks_no_name_and_no_data(ear: Ear) -> None:
    ear.emit(StreamEvent(name="shop", result=StreamResult()))
    ear.emit(DoneEvent(payload={"streams": ["shop"], "sql": "password = 1"}))
    stream, done = ear.close()
    assert stream["name"] == "shop"
    assert done["payload"] == {"streams": ["shop"], "sql": "password = 1"}


def test_progress_is_thinned_per_stream(ear: Ear) -> None:
    for rows in range(1000):
        ear.emit(ProgressEvent(stream="a", rows=rows))
    ear.emit(ProgressEvent(stream="b", rows=1))
    said = ear.close()
    assert said[0] == {"t": "progress", "stream": "a", "rows": 0}
    assert said[-1] == {"t": "progress", "stream": "b", "rows": 1}
    assert len(said) < 100
