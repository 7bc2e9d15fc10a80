"""One stack for the examples: starting it is most of their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.folders import throwaway
from tests.live import LiveStack, live_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[LiveStack]:
    """`etlfabric up --detach`, with the demo."""
    with throwaway("live") as home, live_stack(home) as running:
        yield running
