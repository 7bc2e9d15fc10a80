"""Which dbt nodes a pipeline builds, read from the manifest. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

BUILT = ("model", "seed", "snapshot")


def downstream(manifest: Mapping[str, Any], tables: Collection[str]) -> list[str]:
    """Unique ids of everything that depends on these raw tables, with its tests.

    Seeds, and models without any source, come along when something downstream needs them; a test
    comes when all it looks at is built here.
    """
    children: Mapping[str, list[str]] = manifest.get("child_map", {})
    roots = [
        unique_id
        for unique_id, source in manifest.get("sources", {}).items()
        if source.get("name") in tables
    ]
    reached = _reach(children, roots) - set(roots)
    built = {node for node in reached if _type(manifest, node) in BUILT}
    built |= _sourceless_parents(manifest, built)
    return sorted(built | _tests(manifest, built))


def _reach(edges: Mapping[str, list[str]], roots: Collection[str]) -> set[str]:
    found, pending = set(roots), list(roots)
    while pending:
        for node in edges.get(pending.pop(), ()):
            if node not in found:
                found.add(node)
                pending.append(node)
    return found


def _sourceless_parents(manifest: Mapping[str, Any], built: Collection[str]) -> set[str]:
    parents: Mapping[str, list[str]] = manifest.get("parent_map", {})
    above = _reach(parents, built) - set(built)
    return {
        node
        for node in above
        if _type(manifest, node) in BUILT
        and not any(each.startswith("source.") for each in _reach(parents, [node]))
    }


def _tests(manifest: Mapping[str, Any], built: Collection[str]) -> set[str]:
    parents: Mapping[str, list[str]] = manifest.get("parent_map", {})
    found = set()
    for unique_id, node in manifest.get("nodes", {}).items():
        looked_at = [p for p in parents.get(unique_id, ()) if _type(manifest, p) in BUILT]
        if node["resource_type"] == "test" and looked_at and set(looked_at) <= set(built):
            found.add(unique_id)
    for unique_id in manifest.get("unit_tests", {}):
        if set(parents.get(unique_id, ())) & set(built):
            found.add(unique_id)
    return found


def _type(manifest: Mapping[str, Any], unique_id: str) -> str:
    return unique_id.partition(".")[0]
