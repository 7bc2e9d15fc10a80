"""Logs stay bounded, and nobody loses their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from etlfabric_dagster.embedded import logfiles


def test_full_log_is_moved_aside_and_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfiles, "SIZE_BYTES", 10)
    path = tmp_path / "worker.log"
    with path.open("ab", buffering=0) as writer:
        for number in range(logfiles.COPIES + 2):
            writer.write(f"{number} is the number\n".encode())
            logfiles.rotate(path)
        writer.write(b"last\n")
    assert path.read_text() == "last\n"
    copies = [path.with_suffix(f".log.{n}").read_text()[0] for n in (1, 2, 3)]
    assert copies == ["4", "3", "2"]
    assert len(list(tmp_path.iterdir())) == 1 + logfiles.COPIES


def test_tail_gives_the_last_lines_and_nothing_of_a_missing_log(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"line {n}\n" for n in range(1000)))
    assert logfiles.tail(tmp_path / "a.log", 2) == ["line 998", "line 999"]
    assert logfiles.tail(tmp_path / "b.log", 2) == []
