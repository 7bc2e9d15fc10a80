"""A few values of a table, for the eye of the person who chooses how it is loaded."""

from __future__ import annotations

from etlfabric_dagster.connectors.base import Samples
from etlfabric_dagster.connectors.samples import LONG, ROWS
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.dialects import open_session
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.schemas.jobs import SourceConfig


def sample(source: SourceConfig, stream: str) -> Samples:
    """Column → its values in the first rows that come, cut when they are long. Raises
    ConnectorError.
    """
    target = Target.parse(source)
    with open_session(target) as session:
        columns = session.columns(stream)
        if not columns:
            raise problems.vanished(target, stream)
        rows = session.sample(stream, columns, ROWS)
    return {column.name: [_text(row[at]) for row in rows] for at, column in enumerate(columns)}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")[:LONG]
