"""The connector `sql_database`: tables and views of relational databases.

Cheap to import; dlt and the drivers load with the first call.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from etlfabric_dagster.connectors.base import ExtractContext, Samples
from etlfabric_dagster.connectors.sql_database.spec import SPEC
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, StreamPlan

if TYPE_CHECKING:
    from dlt.extract import DltResource


class SqlDatabase:
    """See `Connector`."""

    spec = SPEC
    applies_column_policies = True

    def check(self, source: SourceConfig) -> CheckResult:
        """See `Connector`."""
        return _module("checks").check(source)

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """See `Connector`."""
        return _module("discovery").discover(source)

    def sample(self, source: SourceConfig, stream: str) -> Samples:
        """See `Connector`."""
        return _module("sample").sample(source, stream)

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """See `Connector`."""
        return _module("extract").resources(source, streams, context)

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """See `Connector`."""
        return _module("probe").probe(source, streams, cursors)

    def warm(self) -> None:
        """See `registry.warm`."""
        for name in (
            "checks",
            "discovery",
            "sample",
            "probe",
            "extract",
            "postgres",
            "mysql",
            "ssh",
        ):
            _module(name)


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


CONNECTOR = SqlDatabase()
