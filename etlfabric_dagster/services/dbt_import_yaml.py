"""The YAML of an imported project: its sources become the tenant's raw tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from etlfabric_dagster.schemas.naming import snake_case
from etlfabric_dagster.services import staging


class SourceMap:
    """Which raw table a source's table is, found by name."""

    def __init__(self, tables: Mapping[str, str]) -> None:
        self._tables = tables
        self._renamed: dict[tuple[str, str], str] = {}

    def take(self, source: str, table: str, identifier: str | None = None) -> str | None:
        """The raw table of a source's table, None when no stream is loaded under that name."""
        wanted = snake_case(identifier or table)
        exact = [t for t in self._tables if t in (wanted, f"{snake_case(source)}__{wanted}")]
        named = [t for t, stream in self._tables.items() if snake_case(stream) == wanted]
        found = exact or named
        if len(found) != 1:
            return None
        self._renamed[source, table] = found[0]
        return found[0]

    def rewritten(self, call: re.Match[str]) -> str:
        """A `source(…)` call as it reads from now on."""
        table = self._renamed.get((call[1], call[2]))
        return f"source('raw', '{table}')" if table else call[0]


def adapt(content: str, mapping: SourceMap, packages: Sequence[str]) -> tuple[str, list[str]]:
    """The file with sources mapped and packages' tests left out, and what was changed.

    A file that is not YAML stays as it is: the parser will say what is wrong with it.
    """
    try:
        tree = yaml.safe_load(content)
    except yaml.YAMLError:
        return content, []
    if not isinstance(tree, dict):
        return content, []
    notes = [*_map_sources(tree, mapping), *_drop_package_tests(tree, packages)]
    if not notes:
        return content, []
    if set(tree) <= {"version"}:
        return "", notes
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), notes


def _map_sources(tree: dict[str, Any], mapping: SourceMap) -> list[str]:
    notes: list[str] = []
    left: list[dict[str, Any]] = []
    for source in tree.get("sources") or []:
        if not isinstance(source, dict) or not isinstance(source.get("tables"), list):
            left.append(source)
            continue
        tables = []
        for table in source["tables"]:
            name = f"{source.get('name')}.{table.get('name')}"
            raw = mapping.take(
                str(source.get("name")), str(table.get("name")), table.get("identifier")
            )
            if raw:
                notes.append(f"source {name} is read from raw.{raw}")
            else:
                notes.append(f"source {name} is not loaded yet; it is looked for in raw")
                tables.append(table)
        if tables:
            kept = {key: value for key, value in source.items() if key != "database"}
            left.append(kept | {"schema": staging.RAW_SCHEMA, "tables": tables})
    if "sources" in tree:
        tree["sources"] = left
        if not left:
            del tree["sources"]
    return notes


def _drop_package_tests(tree: Any, packages: Sequence[str]) -> list[str]:
    """Leave out tests of packages, wherever they stand."""
    notes: list[str] = []
    if isinstance(tree, list):
        for item in tree:
            notes += _drop_package_tests(item, packages)
    elif isinstance(tree, dict):
        for key in ("tests", "data_tests"):
            if isinstance(tree.get(key), list):
                foreign = [test for test in tree[key] if _package_of(test) in packages]
                tree[key] = [test for test in tree[key] if test not in foreign]
                notes += [f"test {_name(test)} left out: no packages here" for test in foreign]
        for value in tree.values():
            notes += _drop_package_tests(value, packages)
    return notes


def _name(test: Any) -> str:
    if isinstance(test, dict):
        return str(test.get("test_name") or next(iter(test), ""))
    return str(test)


def _package_of(test: Any) -> str:
    return _name(test).partition(".")[0] if "." in _name(test) else ""
