"""What pages say, for tests that do not ask where its lines may break (`test_formats` does)."""

from __future__ import annotations

from etlfabric_ui.formats import NBSP


def plain(said: str) -> str:
    """With every space as one types it."""
    return said.replace(NBSP, " ")
