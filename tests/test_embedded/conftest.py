"""Stacks to bring down, and those that never come up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stacks import Stack, throwaway_stack


@pytest.fixture(scope="module")
def endings() -> Iterator[Stack]:
    """A stack to bring down; each test leaves it down."""
    with throwaway_stack() as made:
        yield made


@pytest.fixture
def refused() -> Iterator[Stack]:
    """A stack of its own for what never comes up."""
    with throwaway_stack() as made:
        yield made
