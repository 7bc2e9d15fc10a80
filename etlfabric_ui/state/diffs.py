"""Two texts side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from etlfabric_ui.views.data import DiffRow

AROUND = 3
"""Equal lines shown around a change."""
MAX_LINES = 2_000
"""Of each text; comparing takes the product of both."""


def side_by_side(old: str, new: str) -> list[DiffRow]:
    """Changed lines with a few around them; equal texts give none."""
    left, right = old.splitlines()[:MAX_LINES], new.splitlines()[:MAX_LINES]
    groups = SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(AROUND)
    rows: list[DiffRow] = []
    for number, group in enumerate(groups):
        if number or group[0][1]:
            rows.append(DiffRow("", "", "", "", "fold"))
        for kind, i1, i2, j1, j2 in group:
            rows += _rows(kind, left, right, range(i1, i2), range(j1, j2))
    return rows


def _rows(
    kind: str, left: list[str], right: list[str], old: range, new: range
) -> Iterator[DiffRow]:
    for i, j in zip_longest(old, new):
        what = "" if kind == "equal" else "added" if i is None else "removed" if j is None else ""
        if kind == "replace" and not what:
            what = "changed"
        yield DiffRow(
            left_number="" if i is None else str(i + 1),
            left="" if i is None else left[i],
            right_number="" if j is None else str(j + 1),
            right="" if j is None else right[j],
            kind=what,
        )
