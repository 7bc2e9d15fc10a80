"""Every page that reads something tells that it reads, and what is in its way."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from reflex_components_core.base.bare import Bare
from reflex_components_core.core.cond import Cond

from etlfabric_ui.state.base import PageState

OUTCOME = re.compile(
    r"\.(saved|receipt|note|test_note|link_for|made|password|wrong_said)_rx_state_\b"
)
"""What a save leaves to be said."""


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


def test_what_a_save_says_stands_in_a_region_that_was_there_before() -> None:
    said = [one for page in _pages().values() for one in _outcomes(page.component())]

    assert len({words for words, _ in said}) > 12
    assert {words for words, told in said if not told} == set()


def _outcomes(part: Any, *, told: bool = False, late: bool = False) -> Iterator[tuple[str, bool]]:
    """The words of each outcome below this part, and whether who does not see them is told.

    A status that comes along with its words is told by no reader; an alert is.
    """
    role = str(getattr(part, "role", "")).strip('"')
    told = told or role == "alert" or (role == "status" and not late)
    late = late or (isinstance(part, Cond) and bool(OUTCOME.search(str(part.cond))))
    if isinstance(part, Bare) and OUTCOME.search(str(part.contents)):
        yield str(part.contents), told
    for child in part.children:
        yield from _outcomes(child, told=told, late=late)


def test_each_page_has_a_title_of_its_own() -> None:
    titles = defaultdict(set)
    for route, page in _pages().items():
        titles[str(page.title)].add(route.partition("/[[")[0])  # one page, on two routes

    assert len(titles) > 30
    assert {title: found for title, found in titles.items() if len(found) > 1} == {}


def _pages() -> dict[str, Any]:
    from etlfabric_ui.app import app  # noqa: PLC0415 - builds all pages: not for who only collects

    return dict(app._unevaluated_pages)


def _read() -> Iterator[tuple[str, Any, str]]:
    """Each route, what is read for it, and the page as it is compiled."""
    for route, page in _pages().items():
        states = [one.state for one in page.on_load or ()]
        for state in states:
            if issubclass(state, PageState):
                yield route, state, str(page.component().render())
