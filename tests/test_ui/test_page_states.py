"""Every page that reads something tells that it reads, and what is in its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from etlfabric_ui.state.base import PageState


def test_each_page_draws_the_loading_and_the_problem_of_what_it_reads() -> None:
    read = list(_read())
    lacking = [
        (route, state.__name__, part)
        for route, state, drawn in read
        for part in (str(state.loaded), str(state.problem), "bones", "alert")
        if part not in drawn
    ]

    assert len(read) > 20
    assert lacking == []


def _read() -> Iterator[tuple[str, Any, str]]:
    """Each route, what is read for it, and the page as it is compiled."""
    from etlfabric_ui.app import app  # noqa: PLC0415 - builds all pages: not for who only collects

    pages: Any = app._unevaluated_pages
    for route, page in pages.items():
        states = [one.state for one in page.on_load or ()]
        for state in states:
            if issubclass(state, PageState):
                yield route, state, str(page.component().render())
