"""One stack for the examples: starting it is most of their time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import LiveStack, live_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[LiveStack]:
    """`etlfabric up --detach`, with the demo."""
    home = Path(tempfile.mkdtemp(prefix="etlfabric_live_"))
    with live_stack(home) as running:
        yield running
    shutil.rmtree(home, ignore_errors=True)
