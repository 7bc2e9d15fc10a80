"""Runs and outcomes in words, shared by the pages that show them."""

from __future__ import annotations

from collections.abc import Sequence

from etlfabric_dagster.schemas.health import Outcome
from etlfabric_dagster.schemas.runs import RunOut, RunStatus, Trigger
from etlfabric_ui import formats
from etlfabric_ui.state.base import moment
from etlfabric_ui.state.zones import local
from etlfabric_ui.views.runs import RunRow
from etlfabric_ui.views.shared import Bar

TRIGGERS = {
    Trigger.MANUAL: "by hand",
    Trigger.SCHEDULE: "by schedule",
    Trigger.API: "by the API",
    Trigger.DAGSTER: "from Dagster",
    Trigger.RETRY: "as a retry",
}


def spark(outcomes: Sequence[Outcome]) -> list[Bar]:
    """Bars of the last runs, zero-based, of their own maximum."""
    most = max((one.rows for one in outcomes), default=0) or 1
    return [
        Bar(
            str(one.status),
            f"{max(2, round(24 * one.rows / most))}px",
            f"{formats.short(local(one.at))} · {formats.plural(one.rows, 'row')} · "
            f"{formats.duration(one.seconds)}",
        )
        for one in outcomes
    ]


def run_row(run: RunOut) -> RunRow:
    """A run for a list."""
    return RunRow(
        id=str(run.id),
        short=str(run.id)[:8],
        pipeline=run.pipeline,
        state=str(run.status),
        outcome=outcome_of(run),
        trigger=TRIGGERS[run.trigger],
        attempt=formats.share(run.attempt, run.max_attempts) if run.attempt else formats.UNKNOWN,
        started=moment(run.started_at or run.created_at),
        took=formats.duration(run.duration_s),
        waited=formats.duration(run.queued_s),
        live=not run.status.is_final,
    )


def outcome_of(run: RunOut) -> str:
    """Its rows, or why it failed."""
    if run.error is not None:
        return run.error.message
    if run.status is RunStatus.QUEUED:
        return "Waiting for a free worker"
    return formats.plural(run.rows_loaded, "row")
