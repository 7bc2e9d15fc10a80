"""Loads the one tab of a pipeline's page that is shown."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.schemas.people import Role
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.state.pipeline_changes import PipelineChanges
from etlfabric_ui.state.pipeline_runs import PipelineRuns
from etlfabric_ui.state.pipeline_schedule import PipelineSchedule
from etlfabric_ui.state.pipeline_streams import PipelineStreams

LOADS: dict[str, Any] = {
    "streams": PipelineStreams.load,
    "runs": PipelineRuns.load,
    "changes": PipelineChanges.load,
    "schedule": PipelineSchedule.load,
    "settings": None,
}


class PipelineTabs(rx.State):
    """Holds nothing."""

    @rx.event
    @guarded(Role.VIEWER)
    async def load(self, _visit: Visit) -> Any:
        """The tab is in the URL."""
        tab = self.router.url.query_parameters.get("tab", "")
        return LOADS.get(tab, LOADS["streams"])
