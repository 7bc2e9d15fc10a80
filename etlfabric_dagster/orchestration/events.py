"""What streams and dbt nodes report, as Dagster events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from etlfabric_dagster.orchestration.translators import column_schema
from etlfabric_dagster.schemas.runs import NodeResult, StreamResult

BUILT = ("success", "no-op")
PASSED = ("pass", "success")


def stream_metadata(result: StreamResult, table: str) -> dict[str, Any]:
    """Rows, bytes, seconds, columns, schema changes and warnings of one table of a stream."""
    columns = next((t.columns for t in result.tables if t.table == table), ())
    changes = [change for change in result.schema_changes if change.table == table]
    facts: dict[str, Any] = {
        "rows": result.rows,
        "bytes": result.bytes,
        "seconds": result.seconds,
        "status": result.status,
    }
    if columns:
        facts["dagster/column_schema"] = column_schema(columns)
    if changes:
        facts["schema_changes"] = dg.MetadataValue.json(
            [change.model_dump(mode="json") for change in changes]
        )
    if result.warnings:
        facts["warnings"] = dg.MetadataValue.json(list(result.warnings))
    return facts


def node_metadata(result: NodeResult) -> dict[str, Any]:
    """Seconds, rows, message and compiled SQL of a dbt node."""
    facts: dict[str, Any] = {"seconds": result.seconds, "status": result.status}
    if result.rows is not None:
        facts["rows"] = result.rows
    if result.failures is not None:
        facts["failures"] = result.failures
    if result.message:
        facts["message"] = result.message
    if result.compiled_sql:
        facts["compiled_sql"] = dg.MetadataValue.md(f"```sql\n{result.compiled_sql}\n```")
    return facts


def check_result(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult | None:
    """A dbt test's result; None when dbt skipped it."""
    if result.status == "skipped":
        return None
    warned = result.status == "warn"
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.status in PASSED,
        severity=dg.AssetCheckSeverity.WARN if warned else dg.AssetCheckSeverity.ERROR,
        metadata=node_metadata(result),
    )


def is_failure(result: NodeResult) -> bool:
    """Whether the node makes its run fail: a broken model, or a failed test that is no warning."""
    return result.status in ("error", "fail", "runtime error")


def loaded_tables(
    streams: Mapping[dg.AssetKey, str], stream: str, result: StreamResult
) -> list[dg.AssetKey]:
    """The wanted tables of a stream that stand after its load, itself first."""
    known = {table.table for table in result.tables}
    keys = [key for key, name in streams.items() if name == stream]
    own = min(keys, key=lambda key: len(key.path[-1]))
    kept = [key for key in keys if key == own or not known or key.path[-1] in known]
    return sorted(kept, key=lambda key: (key != own, key.path[-1]))
