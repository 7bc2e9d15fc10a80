"""Commands run in this process through the real entry point."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from etlfabric_dagster import cli


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def etlfabric(migrated, monkeypatch, capsys) -> Callable[..., Answer]:
    def call(*args: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["etlfabric", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Answer(int(ended.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def json_file(tmp_path) -> Callable[[object], str]:
    def write(content: object) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(content))
        return str(path)

    return write
