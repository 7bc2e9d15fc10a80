"""Whether streams have anything new, without reading them: one indexed lookup each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etlfabric_dagster.connectors.sql_database.dialects import open_session
from etlfabric_dagster.connectors.sql_database.extract import span_of
from etlfabric_dagster.connectors.sql_database.session import Session
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import StreamPlan


def probe(source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]) -> set[str]:
    """Streams whose rows at or past the cursor differ from those read last; doubt counts as new.

    A changed column list counts as new too, or a schema change would wait for a row.
    """
    every = {plan.name for plan in streams}
    try:
        with open_session(Target.parse(source)) as session:
            return {plan.name for plan in streams if _maybe(session, plan, cursors.get(plan.name))}
    except FabricError:
        return every


def _maybe(session: Session, plan: StreamPlan, state: dict[str, Any] | None) -> bool:
    if not state or plan.full_refresh or plan.lag_s or state.get("digest") is None:
        return True
    columns = session.columns(plan.name)
    read = [c.name for c in columns if c.name in state["columns"]]
    if read != state["columns"] or len(columns) != state["offered"]:
        return True
    span = span_of(plan, columns, state)
    return span is None or session.changed(plan.name, span, state)
