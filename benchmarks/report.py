"""How every benchmark ends: figures against targets, and one JSON object as the last line."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psutil

_BEGAN = psutil.cpu_times()


@dataclass(frozen=True)
class Figure:
    """A measured value and what was asked; `met` is judged here, nowhere else."""

    value: float
    target: float | None = None
    higher_is_better: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is reached; a figure without one is information."""
        if self.target is None:
            return True
        return self.value >= self.target if self.higher_is_better else self.value <= self.target


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.system(),
        "arch": platform.machine(),
        "stolen": round(_stolen(), 3),
    }


def _stolen() -> float:
    """Share of the processors' time since the benchmark began that the host gave to others."""
    now = psutil.cpu_times()
    if not hasattr(now, "steal"):  # only Linux tells
        return 0.0
    return (now.steal - _BEGAN.steal) / max(sum(now) - sum(_BEGAN), 0.01)


def finish(benchmark: str, figures: Mapping[str, Figure]) -> None:
    """Print the figures and the JSON line; exit 1 when one is missed."""
    if "--json" not in sys.argv:
        for name, figure in figures.items():
            target = "" if figure.target is None else f"  target {figure.target:g}"
            mark = "ok" if figure.met else "MISSED"
            print(f"{name:40} {figure.value:12.4g}{target}  {mark}")
    shaped = {
        name: {k: v for k, v in asdict(figure).items() if k != "higher_is_better"}
        | {"met": figure.met}
        for name, figure in figures.items()
    }
    print(json.dumps({"benchmark": benchmark, "figures": shaped, "machine": machine()}))
    sys.exit(0 if all(figure.met for figure in figures.values()) else 1)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
