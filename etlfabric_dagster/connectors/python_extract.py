"""What the connector `python` does: import a dlt source, call it, hand its resources over."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource
from dlt.extract.incremental import IncrementalResourceWrapper

from etlfabric_dagster.connectors.base import ExtractContext, Samples
from etlfabric_dagster.connectors.checks import Steps, checked
from etlfabric_dagster.connectors.cursor import CURSOR_MODES
from etlfabric_dagster.connectors.filesystem.parquet_files import pg_type
from etlfabric_dagster.connectors.json_columns import infer_columns
from etlfabric_dagster.connectors.json_records import column_path
from etlfabric_dagster.connectors.rawfile import raw_name
from etlfabric_dagster.connectors.samples import ROWS, of_records
from etlfabric_dagster.errors import ConnectorError, FabricError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import (
    CheckResult,
    ColumnInfo,
    DiscoveredStream,
    LoadMode,
    StreamPlan,
)

SAMPLE_ITEMS = 1000


def check(source: SourceConfig) -> CheckResult:
    """Import the source and call it with its arguments. No resource is read."""

    def work(steps: Steps) -> None:
        steps.begin("import")
        function = _imported(source.config["source"])
        steps.begin("call")
        found = _called(function, source)
        steps.note(f"resources: {', '.join(found)}")

    return checked(work)


def discover(source: SourceConfig) -> Iterable[DiscoveredStream]:
    """Each resource, with the columns of its first records. Raises ConnectorError."""
    for name, resource in _resources(source).items():
        hints = resource.compute_table_schema()
        keys = [c for c, column in hints.get("columns", {}).items() if column.get("primary_key")]
        columns = _columns(name, resource)
        cursor = _cursor_of(resource)
        column = column_path(cursor) if cursor else None
        yield DiscoveredStream(
            name=name,
            columns=columns,
            primary_key=tuple(column_path(key) for key in keys),
            cursor_candidates=(column,) if column else (),
            update_cursor=column,  # what the source reads by is what it declares
        )


def sample(source: SourceConfig, stream: str) -> Samples:
    """A few values per column of a resource's first records; none of Arrow data. Raises
    ConnectorError.
    """
    resource = _named(_resources(source), stream)
    return of_records(_records(_first(stream, resource, ROWS)))


def resources(
    source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
) -> Sequence[DltResource]:
    """See `Connector`."""
    found = _resources(source)
    return [_planned(found, plan) for plan in streams]


def probe(source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]) -> set[str]:
    """Foreign code cannot be asked cheaply: all of them."""
    return {plan.name for plan in streams}


class Fixed:
    """The same functions for a source whose path the connection does not choose."""

    def __init__(self, path: str) -> None:
        self._path = path

    def check(self, source: SourceConfig) -> CheckResult:
        """See `check`."""
        return check(self._at(source))

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """See `discover`."""
        return discover(self._at(source))

    def sample(self, source: SourceConfig, stream: str) -> Samples:
        """See `sample`."""
        return sample(self._at(source), stream)

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """See `resources`."""
        return resources(self._at(source), streams, context)

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """See `probe`."""
        return probe(self._at(source), streams, cursors)

    def _at(self, source: SourceConfig) -> SourceConfig:
        return source.model_copy(update={"config": {**source.config, "source": self._path}})


def _resources(source: SourceConfig) -> dict[str, DltResource]:
    return _called(_imported(source.config["source"]), source)


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise ConnectorError(
            f"{path} cannot be imported: {exc}.",
            "Install the package beside this one, or correct the path.",
            code="import_failed",
        ) from exc
    if not callable(found) and not isinstance(found, DltResource | DltSource):
        raise _no_source(path)
    return found


def _called(function: Any, source: SourceConfig) -> dict[str, DltResource]:
    """The source's resources by stream name, none of them read."""
    path = source.config["source"]
    arguments = _arguments(function, source)
    try:
        made = function
        if arguments or not isinstance(function, DltSource | DltResource):
            made = function(**arguments)
    except FabricError:
        raise
    except Exception as exc:  # foreign code: whatever it raises is its cause
        raise ConnectorError(
            f"{path} failed when it was called: {type(exc).__name__}: {_short(exc)}",
            "Correct its arguments, or the source itself.",
            code="source_failed",
        ) from exc
    return _by_name(made, path)


def _by_name(made: Any, path: str) -> dict[str, DltResource]:
    if isinstance(made, DltSource):
        return {raw_name(name): resource for name, resource in made.selected_resources.items()}
    if isinstance(made, DltResource):
        return {raw_name(made.name): made}
    if isinstance(made, list | tuple) and all(isinstance(one, DltResource) for one in made):
        return {raw_name(one.name): one for one in made}
    raise _no_source(path)


def _no_source(path: str) -> ConnectorError:
    return ConnectorError(
        f"{path} is neither a dlt source nor a dlt resource.",
        "Name a function decorated with @dlt.source or @dlt.resource.",
        code="no_source",
    )


def _arguments(function: Any, source: SourceConfig) -> dict[str, Any]:
    """Those of the config; and each secret that bears the name of a parameter."""
    given = source.config.get("arguments", {})
    try:
        known = inspect.signature(function).parameters.keys()
    except (TypeError, ValueError):
        known = given.keys()
    by_name = {name: text for name, text in source.secrets.items() if name in known}
    return by_name | {name: _argument(value, source.secrets) for name, value in given.items()}


def _argument(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"secret"}:
            return _secret(value["secret"], secrets)
        return {name: _argument(item, secrets) for name, item in value.items()}
    return [_argument(item, secrets) for item in value] if isinstance(value, list) else value


def _secret(name: str, secrets: Mapping[str, str]) -> str:
    if name not in secrets:
        raise ConnectorError(
            f"The arguments need the secret “{name}”, which this connection does not have.",
            f"Give secrets.{name}.",
            code="missing_secret",
        )
    return secrets[name]


def _planned(found: Mapping[str, DltResource], plan: StreamPlan) -> DltResource:
    resource = _named(found, plan.name)
    planned = resource.with_name(plan.table)
    planned.apply_hints(table_name=plan.table, primary_key=list(plan.primary_key) or None)
    if plan.cursor and plan.mode in CURSOR_MODES and not resource.incremental:
        planned.apply_hints(incremental=_incremental(plan))
    return planned


def _named(found: Mapping[str, DltResource], name: str) -> DltResource:
    resource = found.get(name)
    if resource is None:
        raise ConnectorError(
            f"The source has no resource “{name}” any more. Its table stays as it is.",
            f"Leave the stream out. It has: {', '.join(found)[:200]}.",
            code="stream_vanished",
            stream=name,
        )
    return resource


def _cursor_of(resource: DltResource) -> str | None:
    """A hint's, or a parameter's: that is known once the resource was read, as dlt makes it with
    the call.
    """
    found = cast(Any, resource.incremental)  # dlt's annotation leaves the hint out
    if isinstance(found, IncrementalResourceWrapper):
        found = found.incremental
    return found.cursor_path if found else None


def _incremental(plan: StreamPlan) -> Any:
    """dlt's own cursor. With a key, rows of the last value are merged again; without, they are
    known by their content.
    """
    by_content = plan.mode is LoadMode.APPEND or not plan.primary_key
    return dlt.sources.incremental(
        plan.cursor or "",
        initial_value=plan.initial_value,
        lag=plan.lag_s or None,
        primary_key=None if by_content else (),
    )


def _columns(name: str, resource: DltResource) -> tuple[ColumnInfo, ...]:
    items = _first(name, resource, SAMPLE_ITEMS)
    if items and isinstance(items[0], pa.Schema):
        return tuple(
            ColumnInfo(
                name=column_path(field.name), type=pg_type(field.type), nullable=field.nullable
            )
            for field in items[0]
        )
    return infer_columns(_records(items))


def _first(name: str, resource: DltResource, count: int) -> list[Any]:
    try:
        return list(islice(_items(resource), count))
    except Exception as exc:  # foreign code
        raise ConnectorError(
            f"{name} failed when it was read: {type(exc).__name__}: {_short(exc)}",
            "Correct the source or its arguments.",
            code="source_failed",
            stream=name,
        ) from exc


def _records(items: Sequence[Any]) -> list[dict[str, Any]]:
    """What of it are records, or values that become records of one column."""
    plain = (item for item in items if not isinstance(item, pa.Schema))
    return [item if isinstance(item, dict) else {"value": item} for item in plain]


def _items(resource: DltResource) -> Iterator[Any]:
    """Records, or the schema of Arrow data."""
    for page in resource:
        if isinstance(page, pa.Table | pa.RecordBatch):
            yield page.schema
            return
        yield from page if isinstance(page, list) else [page]


def _short(exc: Exception) -> str:
    """One line: what comes after may be data."""
    return (str(exc).splitlines() or [""])[0][:200]
