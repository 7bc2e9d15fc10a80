"""Every page that reads something tells that it reads, and what is in its way."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reflex as rx
from reflex_components_core.base.bare import Bare
from reflex_components_core.core.cond import Cond

from benchmarks.pictures import DOORS, NAMES, PAGES
from etlfabric_ui import routes
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.settings_access import TokensState
from etlfabric_ui.views.shared import Problem

READING = ("load", "poll", "enter", "ask")
"""Handlers that read what there is."""
NOTHING = ("''", "Problem()")
VARIABLE = re.compile(r"(\w+\.\w+?)_rx_state_")
SHOWN = re.compile(rf"{VARIABLE.pattern}(?!\?\.valueOf)")
"""A state's variable that is said, not only asked."""
SAID = (str, Problem)
ROOT = Path(__file__).parents[2]


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


def test_what_was_done_is_said_in_a_region_that_was_there_before() -> None:
    pages = _pages().values()
    left = _left()
    said = [one for page in pages for one in _outcomes(page.component(), left)]

    assert len({words for words, _ in said}) > 12
    assert {words for words, told in said if not told} == set()


@pytest.mark.parametrize("region", [{}, {"role": "status"}], ids=["none", "late"])
def test_words_that_no_reader_tells_would_be_found(region: dict[str, str]) -> None:
    state: Any = TokensState
    part = rx.cond(state.made != "", rx.el.p(state.made, **region))

    assert dict(_outcomes(part, _left())) == {str(state.made): False}


def _outcomes(
    part: Any, left: set[str], *, told: bool = False, late: bool = False
) -> Iterator[tuple[str, bool]]:
    """The words of each outcome below this part, and whether who does not see them is told.

    A status that comes along with its words is told by no reader; an alert is.
    """
    role = str(getattr(part, "role", "")).strip('"')
    told = told or role == "alert" or (role == "status" and not late) or _is_read(part)
    late = late or (isinstance(part, Cond) and _names(part.cond, left))
    if isinstance(part, Bare) and _names(part.contents, left, SHOWN):
        yield str(part.contents), told
    for child in part.children:
        yield from _outcomes(child, left, told=told, late=late)


def _names(said: Any, left: set[str], how: re.Pattern[str] = VARIABLE) -> bool:
    return bool(left.intersection(how.findall(str(said))))


def _is_read(part: Any) -> bool:
    """Whether it gets the focus when it comes, or is read with what has it: a field's error.

    A `pre` is no message: it is looked into.
    """
    drawer = part.tag == "aside" and _focuses(part)
    return part.tag in ("dialog", "pre") or drawer or str(part.id).strip('"').endswith("-error")


def _focuses(part: Any) -> bool:
    return str(getattr(part, "auto_focus", "")) == "true" or any(map(_focuses, part.children))


def _left() -> set[str]:
    """The variables in which a handler of a page leaves words, and reading the page does not."""
    return {
        str(getattr(state, name)).removesuffix("_rx_state_")
        for state in _states()
        for name in _assigned(state, acting=True) - _assigned(state, acting=False)
        if state.vars[name]._var_type in SAID and name != "busy"
    }


def _assigned(state: Any, *, acting: bool) -> set[str]:
    """What its handlers, and what they call of it, set to more than nothing."""
    methods = _methods(state)
    todo = {name for name in state.event_handlers if (name in READING) != acting}
    done: set[str] = set()
    while todo - done:
        name = (todo - done).pop()
        done.add(name)
        todo |= {one for one in methods.get(name, (set(), set()))[1] if one in methods}
    return {one for name in done for one in methods.get(name, (set(), set()))[0]} & {*state.vars}


def _methods(state: Any) -> dict[str, tuple[set[str], set[str]]]:
    """Each method: the attributes that it sets, and those that it reads or calls."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for base in reversed(state.__mro__):
        if base.__module__.startswith("etlfabric_ui"):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            for one in ast.walk(tree):
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                    found[one.name] = (set(_set_in(one)), set(_used_in(one)))
    return found


def _set_in(function: ast.AST) -> Iterator[str]:
    for one in ast.walk(function):
        if isinstance(one, ast.Assign):
            for target in one.targets:
                yield from _set_by(target, one.value)
        elif isinstance(one, ast.Call) and ast.unparse(one.func) == "self._set":
            yield from (word.arg for word in one.keywords if word.arg)


def _set_by(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for one, given in zip(target.elts, values, strict=True):
            yield from _set_by(one, given)
    elif isinstance(target, ast.Attribute) and ast.unparse(value) not in NOTHING:
        yield target.attr


def _used_in(function: ast.AST) -> Iterator[str]:
    for one in ast.walk(function):
        if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self":
            yield one.attr


def test_each_page_has_a_title_of_its_own() -> None:
    titles = defaultdict(set)
    for route, page in _pages().items():
        titles[str(page.title)].add(route.partition("/[[")[0])  # one page, on two routes

    assert len(titles) > 30
    assert {title: found for title, found in titles.items() if len(found) > 1} == {}


def test_each_page_has_a_picture_in_the_docs() -> None:
    drawn = {*DOORS.values(), *PAGES.values()}
    lead_on = {routes.HOME, routes.DATA, "/404", "/index"}
    images, page = ROOT / "docs" / "images", (ROOT / "docs" / "panel.md").read_text()

    assert {f"/{route}" for route in _pages()} - lead_on - drawn == set()
    assert {name for name in NAMES if not (images / f"{name}.png").exists()} == set()
    assert {name for name in NAMES if f"(images/{name}.png)" not in page} == set()


def _states() -> set[Any]:
    """Every state that a page reads into, shown on it, or its parts'."""
    todo, found = [rx.State], set()
    while todo:
        below = todo.pop().get_substates()
        todo += below
        found |= {one for one in below if one.__module__.startswith("etlfabric_ui")}
    return found


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
