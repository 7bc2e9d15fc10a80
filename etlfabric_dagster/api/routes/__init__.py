"""One module per domain, each with a `router`; all of them are included."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter


def api_router() -> APIRouter:
    """All routes below /api/v1: a new module here needs no other line."""
    found = APIRouter()
    for module in sorted(one.name for one in iter_modules(__path__) if one.name != "health"):
        found.include_router(import_module(f"{__name__}.{module}").router)
    return found
