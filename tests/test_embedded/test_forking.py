"""A process forked off the supervisor: nothing of the supervisor's is left to it but memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from etlfabric_dagster.embedded import kernel


@pytest.mark.skipif(not kernel.LINUX, reason="elsewhere processes are started by their command")
def test_inherited_files_are_closed_and_their_end_closes_no_connection(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = subprocess.run(
        [sys.executable, "-m", "tests.test_embedded.inheriting", str(log)], timeout=60, check=False
    )

    assert log.read_text().splitlines() == ["inherited /dev/null", "connections kept"]
    assert parent.returncode == 0
