"""A process is known by its pid and its start, or by its mark: never by its name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etlfabric_dagster.embedded import leftovers


@contextmanager
def sleeping(**extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with more in its environment."""
    process = subprocess.Popen(["/bin/sleep", "1000"], env=os.environ | extra)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    with sleeping() as process:
        yield process


def test_reused_pid_is_left_alone(bystander: subprocess.Popen[bytes], tmp_path: Path) -> None:
    earlier = leftovers.Recorded(bystander.pid, "another boot:1", 15)
    assert leftovers.end(tmp_path, [earlier], grace_s=0.1) == 0
    assert bystander.poll() is None


def test_recorded_process_is_ended(bystander: subprocess.Popen[bytes], tmp_path: Path) -> None:
    known = leftovers.identity(bystander.pid)
    assert known is not None
    assert leftovers.end(tmp_path, [leftovers.Recorded(bystander.pid, known, 15)], grace_s=5) == 1
    assert bystander.poll() is not None


def test_only_processes_marked_with_this_home_are_ended(
    bystander: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    other, mine = str(tmp_path / "other"), str(tmp_path)
    with sleeping(**{leftovers.MARK: other}) as theirs, sleeping(**{leftovers.MARK: mine}) as ours:
        assert leftovers.end(tmp_path, [], grace_s=5) == 1
        assert ours.poll() is not None
        assert theirs.poll() is None
    assert bystander.poll() is None
