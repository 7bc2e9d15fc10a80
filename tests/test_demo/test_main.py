"""The supervisor's step that loads the demo."""

from __future__ import annotations

import psycopg
import pytest
from tenacity import wait_none

from etlfabric_dagster import demo
from etlfabric_dagster.demo import __main__ as step


def test_trouble_while_everything_starts_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = [psycopg.OperationalError("connection timeout expired"), None]

    def load(_: object) -> None:
        if end := ends.pop(0):
            raise end

    monkeypatch.setattr(demo, "is_loaded", lambda: False)
    monkeypatch.setattr(demo, "load", load)
    monkeypatch.setattr(step._load.retry, "wait", wait_none())

    assert step.main() == 0
    assert ends == []
    assert "Again, after OperationalError: connection timeout expired" in capsys.readouterr().out
