"""Staging: the dbt files generated from loaded tables. Pure.

A raw table has exact types already, so a staging model names its columns and leaves dlt's
bookkeeping out. Names, once given, stay: `stg_{stream}` where that is free in the org, else
`stg_{table}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.schemas.naming import shortened
from etlfabric_dagster.schemas.streams import LoadMode, TableSchema

SOURCES_PATH = "staging/_sources.yml"
PROPERTIES_PATH = "staging/_staging.yml"
RAW_SCHEMA = "{{ var('etlfabric_prefix') }}_raw"
LOAD_ID, ROW_ID, PARENT_ID = "_dlt_load_id", "_dlt_id", "_dlt_parent_id"
VALID_FROM, VALID_TO = "_dlt_valid_from", "_dlt_valid_to"

_SOURCE = re.compile(r"source\('raw', '([^']+)'\)")


@dataclass(frozen=True)
class StagingTable:
    """A raw table, and its name without the pipeline's table prefix."""

    schema: TableSchema
    short: str


def generate(
    tables: Sequence[StagingTable], known: Mapping[str, str], taken: Iterable[str] = ()
) -> tuple[DbtFile, ...]:
    """The generated files for these tables.

    Args:
        known: raw table → model name of an earlier generation; kept.
        taken: names of the tenant's own models, which are never used.
    """
    if not tables:
        return ()
    ordered = sorted(tables, key=lambda table: table.schema.table)
    names = _names(ordered, known, set(taken))
    parents = {table.schema.parent for table in ordered if table.schema.parent}
    models = [
        DbtFile(
            path=f"staging/{names[table.schema.table]}.sql",
            content=_select(table.schema, has_children=table.schema.table in parents),
            origin=DbtOrigin.GENERATED,
        )
        for table in ordered
    ]
    return (
        _yaml_file(SOURCES_PATH, {"version": 2, "sources": [_source(ordered)]}),
        _yaml_file(PROPERTIES_PATH, _properties(ordered, names)),
        *models,
    )


def known_names(files: Iterable[DbtFile]) -> dict[str, str]:
    """Raw table → model name, read from staging models that were generated earlier."""
    found: dict[str, str] = {}
    for file in files:
        table = _SOURCE.search(file.content) if file.path.startswith("staging/stg_") else None
        if table and file.path.endswith(".sql"):
            name = file.path.removeprefix("staging/").removesuffix(".sql")
            found.setdefault(table.group(1), name)
    return found


def _names(
    tables: Sequence[StagingTable], known: Mapping[str, str], taken: set[str]
) -> dict[str, str]:
    names = {t.schema.table: known[t.schema.table] for t in tables if t.schema.table in known}
    used = {name.lower() for name in (*names.values(), *taken)}
    for table in tables:
        if table.schema.table in names:
            continue
        short, full = shortened(f"stg_{table.short}"), shortened(f"stg_{table.schema.table}")
        name = full if short.lower() in used else short
        names[table.schema.table] = name
        used.add(name.lower())
    return names


def _select(schema: TableSchema, *, has_children: bool) -> str:
    columns = [_quoted(column.name) for column in schema.columns if not _is_own(column.name)]
    present = {column.name for column in schema.columns}
    wanted = [LOAD_ID]
    if schema.parent or has_children:
        wanted.append(ROW_ID)
    if schema.parent:
        wanted.append(PARENT_ID)
    columns += [_quoted(name) for name in wanted if name in present]
    if schema.mode is LoadMode.SCD2 and VALID_TO in present:
        columns += [
            f"{_quoted(VALID_FROM)} as valid_from",
            f"{_quoted(VALID_TO)} as valid_to",
            f"{_quoted(VALID_TO)} is null as is_current",
        ]
    listed = ",\n    ".join(columns) or "*"
    # the table's name, not the stream's: that could hold Jinja, which comments do not stop
    header = f"-- Generated from {schema.table}; copy it to edit it.\n"
    source = f"{{{{ source('raw', '{schema.table}') }}}}"
    return f"{header}select\n    {listed}\nfrom {source}\n"


def _source(tables: Sequence[StagingTable]) -> dict[str, Any]:
    listed = [{"name": table.schema.table} for table in tables]
    return {"name": "raw", "schema": RAW_SCHEMA, "tables": listed}


def _properties(tables: Sequence[StagingTable], names: Mapping[str, str]) -> dict[str, Any]:
    models = [_model_properties(table.schema, names) for table in tables]
    return {"version": 2, "models": models}


def _model_properties(schema: TableSchema, names: Mapping[str, str]) -> dict[str, Any]:
    """Tests that the load itself promises: nothing a healthy source could fail."""
    key = [name for name in schema.primary_key if not _is_own(name)]
    versions = schema.mode in (LoadMode.SCD2, LoadMode.APPEND)
    model: dict[str, Any] = {"name": names[schema.table], "columns": []}
    for column in schema.columns:
        if _is_own(column.name) and not (column.name == PARENT_ID and schema.parent in names):
            continue
        tests: list[Any] = []
        if not column.nullable or column.name in key:
            tests.append("not_null")
        if [column.name] == key and not versions:
            tests.append("unique")
        if column.name == PARENT_ID and schema.parent is not None and schema.parent in names:
            to = f"ref('{names[schema.parent]}')"
            tests.append({"relationships": {"arguments": {"to": to, "field": ROW_ID}}})
        entry = {"name": column.name, "quote": True, "data_type": column.type}
        model["columns"].append(entry | ({"data_tests": tests} if tests else {}))
    if len(key) > 1 and not versions:
        model["data_tests"] = [{"unique_together": {"arguments": {"columns": key}}}]
    return model


def _is_own(column: str) -> bool:
    """Whether it is the platform's bookkeeping."""
    return column.startswith(("_dlt_", "_fabric_"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _yaml_file(path: str, content: dict[str, Any]) -> DbtFile:
    text = "# Generated; written anew when a stream changes.\n"
    text += yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return DbtFile(path=path, content=text, origin=DbtOrigin.GENERATED)
