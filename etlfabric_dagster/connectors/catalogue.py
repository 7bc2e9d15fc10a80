"""Catalogue entries: a connector that is another one with most of its config filled in.

An entry is `catalogue/NAME.yaml`:

    name: shipday
    title: Shipday
    group: APIs
    description: Orders and carriers.
    connector: rest_api          # what it is built on
    config_schema: {…}           # JSON Schemas of the form people see
    secrets_schema: {…}
    config: {…}                  # that connector's config; "${field}" takes a field of the form

A value that is nothing but `${field}` keeps the field's type; inside text it is inserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from etlfabric_dagster.connectors.base import Connector, ExtractContext, Samples
from etlfabric_dagster.schemas.connections import ConnectorSpec
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, StreamPlan

if TYPE_CHECKING:
    from dlt.extract import DltResource

_FIELD = re.compile(r"\$\{([a-z_]+)\}")


class CatalogueConnector:
    """`base` under another name, with the config that `entry` prescribes."""

    def __init__(self, entry: dict[str, Any], base: Connector) -> None:
        self.spec = ConnectorSpec(
            **{key: entry[key] for key in ConnectorSpec.model_fields if key in entry}
        )
        self.applies_column_policies = base.applies_column_policies
        self._base = base
        self._template: dict[str, Any] = entry["config"]

    def check(self, source: SourceConfig) -> CheckResult:
        """See `Connector`."""
        return self._base.check(self._filled(source))

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """See `Connector`."""
        return self._base.discover(self._filled(source))

    def sample(self, source: SourceConfig, stream: str) -> Samples:
        """See `Connector`."""
        return self._base.sample(self._filled(source), stream)

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """See `Connector`."""
        return self._base.resources(self._filled(source), streams, context)

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """See `Connector`."""
        return self._base.probe(self._filled(source), streams, cursors)

    def _filled(self, source: SourceConfig) -> SourceConfig:
        filled = {
            "connector": self._base.spec.name,
            "config": fill(self._template, source.config),
        }
        return source.model_copy(update=filled)


def fill(template: Any, fields: dict[str, Any]) -> Any:
    """`template` with every `${field}` replaced; a field that was not given becomes None or ''."""
    if isinstance(template, dict):
        return {key: fill(value, fields) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, fields) for value in template]
    if not isinstance(template, str):
        return template
    if whole := _FIELD.fullmatch(template):
        return fields.get(whole[1])
    return _FIELD.sub(lambda found: str(fields.get(found[1], "")), template)
