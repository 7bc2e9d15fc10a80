"""A connector that is cheap to import: what does the work loads with the first call."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from etlfabric_dagster.connectors.base import ExtractContext, Samples
from etlfabric_dagster.schemas.connections import ConnectorSpec
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, StreamPlan

if TYPE_CHECKING:
    from dlt.extract import DltResource


class LazyConnector:
    """A connector whose functions stand in `module`. See `Connector`."""

    applies_column_policies = False

    def __init__(self, spec: ConnectorSpec, module: str) -> None:
        self.spec = spec
        self._name = module

    def warm(self) -> None:
        """Import what the calls need, so that forked children have it."""
        self._module()

    def check(self, source: SourceConfig) -> CheckResult:
        """See `Connector`."""
        return self._module().check(source)

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """See `Connector`."""
        return self._module().discover(source)

    def sample(self, source: SourceConfig, stream: str) -> Samples:
        """See `Connector`."""
        return self._module().sample(source, stream)

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """See `Connector`."""
        return self._module().resources(source, streams, context)

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """See `Connector`."""
        return self._module().probe(source, streams, cursors)

    def _module(self) -> Any:
        return importlib.import_module(self._name)
