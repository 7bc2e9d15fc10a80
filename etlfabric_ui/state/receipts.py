"""Receipts: what was done, for a moment, and for some a way back.

Reflex shows toasts by having the browser evaluate text that the server sent, which the panel's
content security policy forbids; so they are an element of the frame like any other.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.shared import Problem


class Receipts(rx.State):
    """The newest one. Success only: an error stands where it happened."""

    said: str = ""
    number: int = 0
    """Tells a receipt from one before it with the same words."""
    can_undo: bool = False
    problem: Problem = Problem()
    _way_back: tuple[str, str, list[Any]] = ("", "", [])

    @rx.event
    @guarded(None)
    async def show(
        self, _visit: Visit, said: str, state: str, handler: str, args: list[Any]
    ) -> None:
        """Show it, with the handler that takes it back, if one does."""
        self.said, self.number = said[:200], self.number + 1
        self.can_undo, self._way_back = bool(handler), (state, handler, args)

    @rx.event
    @guarded(None)
    async def undo(self, _visit: Visit) -> Any:
        """Take it back: by the handler that was named, which asks for rights as always."""
        state, handler, args = self._way_back
        self.said, self.can_undo, self._way_back = "", False, ("", "", [])
        if not handler:
            return None
        owner = rx.State.get_class_substate(tuple(state.split(".")))
        return owner.event_handlers[handler](*args)


def done(said: str) -> Any:
    """A receipt that goes by itself."""
    return Receipts.show(said, "", "", [])  # pyright: ignore[reportCallIssue]


def undoable(said: str, state: type[rx.State], handler: str, *args: str | bool) -> Any:
    """A receipt with a way back, for 8 seconds: that handler of that state, with these arguments.

    The state's class itself, not the mixin its page shares.
    """
    return Receipts.show(said, state.get_full_name(), handler, list(args))  # pyright: ignore
