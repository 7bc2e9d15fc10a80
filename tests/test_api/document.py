"""The OpenAPI document, made once a process: it takes a second."""

from __future__ import annotations

from functools import cache
from typing import Any

from etlfabric_dagster.api.app import create_app


@cache
def document() -> dict[str, Any]:
    """As `/openapi.json` answers it; not to be changed."""
    return create_app().openapi()
