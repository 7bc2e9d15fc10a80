"""The Celery app: `celery -A etlfabric_dagster.tasks worker -Q etlfabric.runs`.

Tasks carry ids only and may be delivered twice or never: rows decide, doorbells only wake.
Importing this package is cheap and needs no install; asking for `app`, as Celery does, is neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "app":
        return import_module("etlfabric_dagster.tasks.worker").make()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
