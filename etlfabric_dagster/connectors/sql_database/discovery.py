"""What a database offers."""

from __future__ import annotations

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.dialects import open_session
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import DiscoveredStream


def discover(source: SourceConfig) -> list[DiscoveredStream]:
    """Readable tables and views; `check` names the others. Raises ConnectorError."""
    target = Target.parse(source)
    with open_session(target) as session:
        schemas = session.schemas()
        if target.schema not in schemas:
            raise problems.no_schema(target, schemas)
        return session.discover()
