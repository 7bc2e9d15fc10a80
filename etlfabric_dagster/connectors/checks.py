"""The steps of a check: each really runs, and the first that fails ends it and gives the cause."""

from __future__ import annotations

from collections.abc import Callable

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.streams import CheckResult, CheckStep


class Steps:
    """What has been tried so far."""

    def __init__(self) -> None:
        self._done: list[CheckStep] = []
        self._name = ""
        self._detail = ""

    def begin(self, name: str) -> None:
        """The step before went well; this one starts."""
        self._end(ok=True)
        self._name, self._detail = name, ""

    def note(self, detail: str) -> None:
        """What the current step saw."""
        self._detail = detail

    def finish(self, ok: bool) -> tuple[CheckStep, ...]:
        """All steps, the current one ended."""
        self._end(ok)
        return tuple(self._done)

    def _end(self, ok: bool) -> None:
        if self._name:
            self._done.append(CheckStep(name=self._name, ok=ok, detail=self._detail))


def checked(work: Callable[[Steps], None]) -> CheckResult:
    """The result of `work`, whatever it raises on purpose."""
    steps = Steps()
    try:
        work(steps)
    except FabricError as exc:
        return CheckResult(
            ok=False,
            cause=exc.message,
            remedy=exc.remedy,
            code=exc.code,
            steps=steps.finish(ok=False),
        )
    return CheckResult(ok=True, steps=steps.finish(ok=True))
