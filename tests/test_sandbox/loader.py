"""A connector whose rows stand in its config: as items, Arrow tables or file imports."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from etlfabric_dagster.connectors.base import LOAD_ID, PG_TYPE_HINT, ROW_HASH, ExtractContext
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.sandbox.extract_items import row_hash
from etlfabric_dagster.schemas.connections import ConnectorSpec
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, LoadMode, StreamPlan


class Loader:
    """`config[stream] = {"rows", "form", "types", "files", "after", "tell"}`."""

    spec = ConnectorSpec(
        name="loader",
        title="Loader",
        group="test",
        description="",
        config_schema={},
        secrets_schema={},
    )
    applies_column_policies = False

    def check(self, source: SourceConfig) -> CheckResult:
        return CheckResult(ok=True)

    def discover(self, source: SourceConfig) -> list[Any]:
        return []

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        changed = set()
        for stream in streams:
            last = cursors[stream.name]
            last = last["cursor"] if isinstance(last, dict) else last
            if any(row[stream.cursor] > last for row in source.config[stream.name]["rows"]):
                changed.add(stream.name)
        return changed

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> list[DltResource]:
        return [self._resource(source.config[s.name], s, context) for s in streams]

    def _resource(
        self, config: dict[str, Any], stream: StreamPlan, context: ExtractContext
    ) -> DltResource:
        form = config.get("form", "items")
        cursor = None
        if stream.cursor and form != "csv":
            cursor = dlt.sources.incremental(stream.cursor, initial_value=stream.initial_value)

        def rows(cursor: Any = cursor) -> Iterator[Any]:
            yield from FORMS[form](config, stream, context)
            after(config)

        return dlt.resource(rows, name=stream.table, primary_key=list(stream.primary_key) or None)


def after(config: dict[str, Any]) -> None:
    """What happens once all rows were read."""
    if config.get("after") == "fail":
        raise ConnectorError("page 3 is broken.", "Mend it.", code="broken_page")
    if "tell" in config:
        Path(config["tell"]).write_text(json.dumps(sorted(sys.modules)))
    if config.get("after") == "die":
        os.kill(os.getpid(), signal.SIGKILL)


def nested(levels: int) -> Any:
    """A list in a list in a list …"""
    return [nested(levels - 1)] if levels else 1


ODD: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "nul": "a\0b",
    "huge": 2**70,
    "surrogate": "\ud800",
    "deep": nested(200),
    "folded": nested(20),
}


def items(config: dict[str, Any], stream: StreamPlan, context: ExtractContext) -> Iterator[Any]:
    rows = config["rows"]
    if "odd" in config:
        rows = [row | {"v": ODD[config["odd"]]} for row in rows]
    yield rows


def arrow(config: dict[str, Any], stream: StreamPlan, context: ExtractContext) -> Iterator[Any]:
    yield pa.Table.from_pylist(config["rows"])


def files(config: dict[str, Any], stream: StreamPlan, context: ExtractContext) -> Iterator[Any]:
    types = dict(config["types"])
    hints = {n: {"name": n, "data_type": "text", PG_TYPE_HINT: t} for n, t in types.items()}
    taken = set(context.accept(stream.name, hints))
    columns = {name: hint for name, hint in hints.items() if name in taken}
    rows = unread(config["rows"], stream, context)
    load_id = dlt.current.load_package_state()["load_id"]
    extra: dict[str, Any] = {LOAD_ID: lambda row: load_id}
    if stream.mode is LoadMode.SCD2:
        extra[ROW_HASH] = row_hash
    hinted = columns | {name: {"name": name, "data_type": "text"} for name in extra}
    parts = config.get("files", 1)
    for part in range(parts):
        path = Path(context.workdir) / f"{stream.table}.{part}.csv"
        text = io.StringIO()
        text.write(",".join(f'"{name}"' for name in hinted) + "\n")
        for row in rows[part::parts]:
            values = [row.get(name) for name in columns] + [make(row) for make in extra.values()]
            text.write(",".join("\\N" if v is None else quoted(v) for v in values) + "\n")
        path.write_text(text.getvalue())
        yield dlt.mark.with_file_import(
            str(path), "csv", len(rows[part::parts]), hints=dlt.mark.make_hints(columns=hinted)
        )


def unread(rows: list[Any], stream: StreamPlan, context: ExtractContext) -> list[Any]:
    """Rows past the cursor that the connector keeps itself."""
    if not stream.cursor:
        return rows
    last = None if stream.full_refresh else context.state.get(stream.name, {}).get("cursor")
    rows = [row for row in rows if last is None or row[stream.cursor] > last]
    if rows:
        context.state[stream.name] = {"cursor": max(row[stream.cursor] for row in rows)}
    return rows


def quoted(value: Any) -> str:
    """A CSV field in quotes."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow([value])
    return text.getvalue()


FORMS = {"items": items, "arrow": arrow, "csv": files}
CONNECTOR: Any = Loader()
