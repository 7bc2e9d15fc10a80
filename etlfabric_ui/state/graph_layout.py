"""Where the nodes of a lineage stand: four bands from left to right. Pure, and always the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import fmean
from typing import NamedTuple

BANDS = ("source", "raw", "staging", "marts")
WIDTH, HEIGHT = 220, 44
GAP_X, GAP_Y = 56, 12
TOP = 32
"""Room for the bands' titles."""
SWEEPS = 4

Edge = tuple[str, str]


class Placed(NamedTuple):
    """A layout: left upper corners, and the size of it all."""

    at: dict[str, tuple[int, int]]
    bands: dict[str, tuple[int, int]]
    """Band → (left, width); only bands that have nodes."""
    width: int
    height: int


def place(layers: Mapping[str, str], edges: Collection[Edge]) -> Placed:
    """Nodes (id → band) in columns: a band has as many as its longest chain."""
    parents: dict[str, list[str]] = {node: [] for node in layers}
    children: dict[str, list[str]] = {node: [] for node in layers}
    for parent, child in sorted(edges):
        parents[child].append(parent)
        children[parent].append(child)
    ranks = {node: _rank(node, layers, parents, {}) for node in layers}
    columns: list[list[str]] = []
    bands: dict[str, tuple[int, int]] = {}
    for band in BANDS:
        own = sorted(node for node in layers if layers[node] == band)
        depth = max((ranks[node] for node in own), default=-1) + 1
        if depth:
            left = len(columns) * (WIDTH + GAP_X)
            bands[band] = (left, depth * (WIDTH + GAP_X) - GAP_X)
        columns += [[node for node in own if ranks[node] == rank] for rank in range(depth)]
    _order(columns, parents, children)
    at = {
        node: (x * (WIDTH + GAP_X), TOP + y * (HEIGHT + GAP_Y))
        for x, column in enumerate(columns)
        for y, node in enumerate(column)
    }
    rows = max((len(column) for column in columns), default=0)
    return Placed(at, bands, len(columns) * (WIDTH + GAP_X) - GAP_X, TOP + rows * (HEIGHT + GAP_Y))


def curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    """SVG path from a node's right edge to another's left."""
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT // 2
    x2, y2 = end[0], end[1] + HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _rank(
    node: str, layers: Mapping[str, str], parents: Mapping[str, list[str]], known: dict[str, int]
) -> int:
    """The longest chain of the same band that leads to it. dbt has no circles."""
    if node not in known:
        known[node] = 0
        same = [one for one in parents[node] if layers[one] == layers[node]]
        known[node] = max((_rank(one, layers, parents, known) + 1 for one in same), default=0)
    return known[node]


def _order(
    columns: list[list[str]],
    parents: Mapping[str, list[str]],
    children: Mapping[str, list[str]],
) -> None:
    """Bring each node near its neighbors: the mean of their rows, from both sides in turn."""
    row = {node: y for column in columns for y, node in enumerate(column)}
    for sweep in range(SWEEPS):
        beside = parents if sweep % 2 == 0 else children
        for column in columns if sweep % 2 == 0 else reversed(columns):
            means = {
                node: fmean([row[one] for one in beside[node]]) if beside[node] else row[node]
                for node in column
            }
            column.sort(key=lambda node: (means[node], node))
            row.update({node: y for y, node in enumerate(column)})
