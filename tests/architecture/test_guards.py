"""No public event handler of the panel is unguarded."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import reflex as rx
from reflex.state import EventHandlerSetVar

import etlfabric_ui.state as package
from etlfabric_ui.state.guards import GUARD


def states() -> Iterator[type[rx.State]]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
    pending = [rx.State]
    while pending:
        state = pending.pop()
        pending += state.get_substates()
        if state.__module__.startswith("etlfabric_ui"):
            yield state


def handlers() -> dict[str, object]:
    return {
        f"{state.__name__}.{name}": handler.fn
        for state in states()
        for name, handler in state.event_handlers.items()
        if name in vars(state) and not isinstance(handler, EventHandlerSetVar)
    }


def test_every_event_handler_is_guarded() -> None:
    unguarded = [name for name, fn in handlers().items() if not hasattr(fn, GUARD)]
    assert unguarded == [], "put @guarded(...) below @rx.event: any client can call these"


def test_reflex_own_setvar_finds_no_setter() -> None:
    """It calls `set_<var>` unasked; such setters exist only when Reflex generates them."""
    setters = [
        f"{state.__name__}.set_{name}"
        for state in states()
        for name in state.base_vars
        if hasattr(state, f"set_{name}")
    ]
    assert setters == []


def test_the_look_finds_handlers_at_all() -> None:
    assert "Shell.enter" in handlers()


def test_an_unguarded_handler_would_be_found() -> None:
    async def bare(self: rx.State) -> None: ...

    assert not hasattr(bare, GUARD)
