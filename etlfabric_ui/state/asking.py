"""Pages that ask for what takes long: a statement of the org's own, or dbt."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import Role
from etlfabric_ui.state.base import PageState
from etlfabric_ui.state.guards import Visit, guarded, problem_of
from etlfabric_ui.views.shared import Problem

Found = TypeVar("Found")


class AskingState(PageState, mixin=True):
    """Asks in background events. The last question is answered, unless one waits no longer."""

    _asked: int = 0

    @rx.event
    @guarded(Role.VIEWER)
    async def stop(self, _visit: Visit) -> None:
        """Wait no longer; the statement itself ends by its time limit."""
        self._asked += 1
        self.busy = ""

    def _begin(self, what: str) -> int:
        """Under way; returns the number of what is asked."""
        self._asked += 1
        self.busy, self.problem = what, Problem()
        return self._asked

    def _ended(self, number: int, refused: FabricError | None = None) -> bool:
        """Whether it is still waited for. Then nothing is under way, and a refusal is told."""
        if number != self._asked:
            return False
        self.busy = ""
        if refused is not None:
            self.problem = problem_of(refused)
        return True


async def answer(asked: Awaitable[Found]) -> tuple[Found | None, FabricError | None]:
    """What was found, or why it was refused."""
    try:
        return await asked, None
    except FabricError as exc:
        return None, exc
