"""One stack for the examples: starting it is most of their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stacks import Stack, throwaway_stack


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The whole stack with the demo, down again once the folder's tests have ended."""
    with throwaway_stack("live") as made:
        made.up()
        yield made
