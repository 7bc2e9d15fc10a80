"""What the last good parse builds, as lineage and overviews need it: a few words per node.

The manifest itself, half a megabyte and more, is read once per parse and process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from etlfabric_dagster.models import DbtManifest
from etlfabric_dagster.services import dbt_graph
from etlfabric_dagster.services.scope import OrgScope

MAX_KEPT = 256  # orgs; 500 nodes take about 300 KB


class BuiltNode(NamedTuple):
    """A model, seed or snapshot."""

    layer: str
    name: str
    kind: str
    path: str | None
    parents: tuple[str, ...]
    """Unique ids of what it is made of, sources included."""


class Built(NamedTuple):
    """All of a project, by unique id."""

    nodes: Mapping[str, BuiltNode]
    sources: Mapping[str, str]
    """Source → raw table."""
    selections: Mapping[str, list[str]]
    """Pipeline → what it builds, as of now."""

    def marts(self, pipeline: str) -> Iterator[str]:
        """Names of the marts that a pipeline builds."""
        for node in map(self.nodes.get, self.selections.get(pipeline, ())):
            if node is not None and (node.kind, node.layer) == ("model", "marts"):
                yield node.name


_Parse = tuple[UUID, str, datetime]
_known: dict[_Parse, tuple[Mapping[str, BuiltNode], Mapping[str, str]]] = {}


async def of(scope: OrgScope) -> Built:
    """Empty before the first parse. One query; a second one once per parse."""
    parse = DbtManifest.files_digest, DbtManifest.updated_at
    found = (await scope.session.execute(select(DbtManifest.selections, *parse))).one_or_none()
    if found is None:
        return Built({}, {}, {})
    key = scope.org_id, found.files_digest, found.updated_at
    if key not in _known:
        manifest = await scope.session.scalar(select(DbtManifest.manifest)) or {}
        _remember(key, manifest)
    return Built(*_known[key], found.selections)


def _remember(key: _Parse, manifest: Mapping[str, Any]) -> None:
    for old in [known for known in list(_known) if known[0] == key[0]]:
        _known.pop(old, None)
    while len(_known) >= MAX_KEPT:
        _known.pop(next(iter(_known)), None)
    _known[key] = _nodes(manifest), _sources(manifest)


def _nodes(manifest: Mapping[str, Any]) -> dict[str, BuiltNode]:
    parents: Mapping[str, list[str]] = manifest.get("parent_map", {})
    return {
        unique_id: BuiltNode(
            layer=str(node.get("schema", "")).rpartition("_")[2],
            name=node["name"],
            kind=node["resource_type"],
            path=node.get("path"),
            parents=tuple(parents.get(unique_id, ())),
        )
        for unique_id, node in manifest.get("nodes", {}).items()
        if node["resource_type"] in dbt_graph.BUILT
    }


def _sources(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {key: node["name"] for key, node in manifest.get("sources", {}).items()}
