"""The `rest_api` connector: dlt's declarative REST config, read strictly.

Each selected stream is read for itself, its parents included, so that one broken endpoint stops
nothing but its own stream. Config: `config`; HTTP: `session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import dlt
from dlt.extract import DltResource

from etlfabric_dagster.connectors.base import ExtractContext, Samples
from etlfabric_dagster.connectors.checks import Steps, checked
from etlfabric_dagster.connectors.cursor import CURSOR_MODES, Cursor, key_hints
from etlfabric_dagster.connectors.json_columns import field_getter, infer_columns
from etlfabric_dagster.connectors.json_records import MAX_NESTING, Records, column_path
from etlfabric_dagster.connectors.rawfile import raw_name
from etlfabric_dagster.connectors.rest_api import config as rest_config
from etlfabric_dagster.connectors.rest_api.config import Endpoint, RestConfig
from etlfabric_dagster.connectors.rest_api.pages import Reader
from etlfabric_dagster.connectors.rest_api.session import FOR_CHECKS, origin
from etlfabric_dagster.connectors.samples import ROWS, of_records
from etlfabric_dagster.connectors.update_cursor import moves_on_update
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import (
    CheckResult,
    ColumnInfo,
    DiscoveredStream,
    StreamPlan,
)
from etlfabric_dagster.security import egress

PAGES_SEEN = 3  # a first parent may have no children
_MOMENTS = frozenset({"timestamp", "date"})


def check(source: SourceConfig) -> CheckResult:
    """Ask for the first page of the first resource that has no parent."""
    return checked(lambda steps: _check(source, steps))


def discover(source: SourceConfig) -> Iterable[DiscoveredStream]:
    """Each resource, with the columns of its first page."""
    config = rest_config.parse(source)
    for endpoint in config.endpoints.values():
        place, page = _first_page(config, endpoint)
        records = Records(endpoint.name).clean(page, place)
        columns = infer_columns(records)
        cursors = _cursors(endpoint, columns)
        yield DiscoveredStream(
            name=endpoint.name,
            columns=columns,
            primary_key=_key(endpoint, columns, records),
            cursor_candidates=cursors,
            update_cursor=next(iter(cursors), None),
        )


def sample(source: SourceConfig, stream: str) -> Samples:
    """A few values per column of a resource's first page. Raises ConnectorError."""
    config = rest_config.parse(source)
    endpoint = _endpoint(config, stream)
    place, page = _first_page(config, endpoint)
    return of_records(Records(endpoint.name).clean(page[:ROWS], place))


def resources(
    source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
) -> Sequence[DltResource]:
    """See `Connector`."""
    config = rest_config.parse(source)
    return [_resource(config, plan, context) for plan in streams]


def probe(source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]) -> set[str]:
    """An API cannot be asked cheaply: all of them."""
    return {plan.name for plan in streams}


def _check(source: SourceConfig, steps: Steps) -> None:
    steps.begin("config")
    config = rest_config.parse(source)
    first = next(e for e in config.endpoints.values() if e.parent is None)
    steps.begin("address")
    _, host, port = origin(config.base_url)
    steps.note(egress.resolve_pinned(host, port, source.egress))
    steps.begin("request")
    place, page = _first_page(config, first)
    steps.note(f"{first.name}: {len(page)} records on the first page")
    steps.begin("records")
    Records(first.name).clean(page, place)


def _first_page(config: RestConfig, endpoint: Endpoint) -> tuple[str, list[Any]]:
    """The first page that has records, of the first few."""
    for found in islice(Reader(config, FOR_CHECKS).pages(endpoint, _initial(endpoint)), PAGES_SEEN):
        if found[1]:
            return found
    return "Page 1", []


def _resource(config: RestConfig, plan: StreamPlan, context: ExtractContext) -> DltResource:
    endpoint = _endpoint(config, plan.name)
    return dlt.resource(
        _rows(config, endpoint, plan, context),
        name=plan.table,
        max_table_nesting=_nesting(endpoint),
        **key_hints(plan),
    )


def _endpoint(config: RestConfig, name: str) -> Endpoint:
    endpoint = config.endpoints.get(name)
    if endpoint is None:
        raise ConnectorError(
            f"The connection has no resource “{name}” any more. Its table stays as it is.",
            "Leave the stream out, or add the resource again.",
            code="stream_vanished",
            stream=name,
        )
    return endpoint


def _nesting(endpoint: Endpoint) -> int:
    return MAX_NESTING if endpoint.max_table_nesting is None else endpoint.max_table_nesting


def _rows(
    config: RestConfig, endpoint: Endpoint, plan: StreamPlan, context: ExtractContext
) -> Iterator[list[dict[str, Any]]]:
    records, count = Records(plan.name, _nesting(endpoint)), 0
    cursor = _cursor(endpoint, plan, context)
    start = cursor.start if cursor and _is_sent(endpoint, plan) else _initial(endpoint)
    cursor_of = field_getter(cursor.column) if cursor else None
    for place, page in Reader(config, warn=context.warn).pages(endpoint, start):
        rows = records.clean(page, place)
        if cursor and cursor_of:
            rows = cursor.take(rows, cursor_of, place)
        count += len(rows)
        context.progress(plan.name, count)
        if rows:
            yield rows
    for text in records.warnings():
        context.warn(plan.name, text)
    if cursor:
        cursor.finish()


def _cursor(endpoint: Endpoint, plan: StreamPlan, context: ExtractContext) -> Cursor | None:
    if plan.cursor is None or plan.mode not in CURSOR_MODES:
        return None
    if plan.initial_value is None and _is_sent(endpoint, plan):
        plan = plan.model_copy(update={"initial_value": _initial(endpoint)})
    return Cursor(plan, context)


def _is_sent(endpoint: Endpoint, plan: StreamPlan) -> bool:
    """Whether the API is asked from the plan's cursor; otherwise older rows are left out here."""
    return plan.cursor is not None and _declared(endpoint) == column_path(plan.cursor)


def _declared(endpoint: Endpoint) -> str | None:
    path = endpoint.incremental.get("cursor_path")
    return "__".join(map(raw_name, path.split("."))) if path else None


def _initial(endpoint: Endpoint) -> Any:
    return endpoint.incremental.get("initial_value")


def _key(
    endpoint: Endpoint, columns: Sequence[ColumnInfo], records: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    """The declared key; else `id`, where it is set and unique on the page."""
    if endpoint.primary_key:
        return tuple(column_path(key) for key in endpoint.primary_key)
    is_set = any(c.name == "id" and not c.nullable for c in columns)
    get = field_getter("id")
    unique = is_set and endpoint.parent is None and len({get(r) for r in records}) == len(records)
    return ("id",) if unique else ()


def _cursors(endpoint: Endpoint, columns: Sequence[ColumnInfo]) -> tuple[str, ...]:
    """The declared cursor, then moments of change. Moments of creation miss later changes."""
    declared = _declared(endpoint)
    found = [
        c.name
        for c in columns
        if c.type in _MOMENTS and not c.nullable and moves_on_update(c.name) and c.name != declared
    ]
    return (declared, *found) if declared else tuple(found)
