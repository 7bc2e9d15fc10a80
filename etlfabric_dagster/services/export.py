"""Export of an org: everything needed to go on elsewhere, in formats that any tool reads.

    org.json                 org, connections without secrets, pipelines with streams, schedules
    export.json              how much of each was written
    dbt/                     the dbt files
    data/{raw,marts,…}/*.csv every table, with header, NULL unquoted and empty text quoted

Views are not copied: the dbt files define them. Data is read with the org's read-only login.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.services import connections, dbt_store, orgs, pipelines, schedules, tenants
from etlfabric_dagster.services.scope import Actor, OrgScope, org_scope

REPORT = "export.json"
SCHEMAS = ("raw", "staging", "marts")
_TABLES = """
    SELECT tablename FROM pg_tables
    WHERE schemaname = $1 AND tablename NOT LIKE '\\_dlt\\_%' ORDER BY tablename
"""

Progress = Callable[[str, int, int], None]


class ExportReport(Value):
    """What an export wrote."""

    directory: str
    connections: int
    pipelines: int
    dbt_files: int
    tables: dict[str, int]
    """`schema.table` → rows."""


async def export(
    actor: Actor, slug: str, directory: Path, progress: Progress = lambda *_: None
) -> ExportReport:
    """Write the org into a new or empty directory. Raises InvalidInputError, NotFoundError.

    Args:
        progress: called with (table, tables done, tables in all).
    """
    async with org_scope(actor, slug) as scope:
        scope.require("orgs.export")
        _prepare(directory)
        description = await _describe(scope, actor, slug)
        files = await dbt_store.files_of(scope)
        org_id = scope.org_id
    text = json.dumps(description, indent=2, ensure_ascii=False, default=str)
    (directory / "org.json").write_text(text + "\n", "utf-8")
    for path, file in files.items():
        target = directory / "dbt" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.content, "utf-8")
    tables = await _copy_tables(
        await tenants.reader_warehouse(org_id), directory / "data", progress
    )
    report = ExportReport(
        directory=str(directory),
        connections=len(description["connections"]),
        pipelines=len(description["pipelines"]),
        dbt_files=len(files),
        tables=tables,
    )
    (directory / REPORT).write_text(report.model_dump_json(exclude={"directory"}) + "\n", "utf-8")
    return report


def unpack(archive: bytes, directory: Path) -> ExportReport:
    """Put an export that came as a tar.gz into a new or empty directory.

    Raises InvalidInputError.
    """
    _prepare(directory)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for entry in packed.getmembers():
            entry.name = entry.name.partition("/")[2]  # the folder named by the org
            if entry.name:
                packed.extract(entry, directory, filter="data")
    counts = json.loads((directory / REPORT).read_text("utf-8"))
    return ExportReport(directory=str(directory), **counts)


async def _describe(scope: OrgScope, actor: Actor, slug: str) -> dict[str, Any]:
    listed = await pipelines.list_pipelines(scope)
    found = {
        "org": await orgs.get(actor, slug),
        "connections": (await connections.list_connections(scope)).items,
        "pipelines": [await pipelines.get(scope, item.name) for item in listed.items],
        "schedules": (await schedules.list_schedules(scope)).items,
    }
    return {
        name: [item.model_dump(mode="json") for item in value]
        if isinstance(value, list | tuple)
        else value.model_dump(mode="json")
        for name, value in found.items()
    }


async def _copy_tables(warehouse: Warehouse, directory: Path, progress: Progress) -> dict[str, int]:
    conn = await asyncpg.connect(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse.username,
        password=warehouse.password,
        database=warehouse.database,
        server_settings={"statement_timeout": "0"},
    )
    try:
        listed = [
            (layer, f"{warehouse.schema_prefix}_{layer}", row["tablename"])
            for layer in SCHEMAS
            for row in await conn.fetch(_TABLES, f"{warehouse.schema_prefix}_{layer}")
        ]
        copied: dict[str, int] = {}
        for done, (layer, schema, table) in enumerate(listed, start=1):
            # a tenant may name a table "../../x": its name never becomes a path
            target = directory / layer / f"{quote(table, safe='')}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            status = await conn.copy_from_table(
                table, schema_name=schema, output=str(target), format="csv", header=True
            )
            copied[f"{layer}.{table}"] = int(status.removeprefix("COPY "))
            progress(f"{layer}.{table}", done, len(listed))
        return copied
    finally:
        await conn.close()


def _prepare(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InvalidInputError(
                f"{directory} is not empty.", "Name a new or empty directory.", field="directory"
            )
    except OSError as exc:
        raise InvalidInputError(
            f"{directory} cannot be written: {exc.strerror}.",
            "Name a directory that you may write.",
            field="directory",
        ) from exc
