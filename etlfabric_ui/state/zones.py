"""In which zone times are told: the org's, for as long as a handler of one of its pages runs."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from zoneinfo import ZoneInfo

_ZONE: ContextVar[str] = ContextVar("zone", default="UTC")


def use_zone(zone: str) -> None:
    """From here on in this handler. Guards call it."""
    _ZONE.set(zone)


def zone() -> str:
    """The IANA zone; UTC outside an org."""
    return _ZONE.get()


def local(at: datetime) -> datetime:
    """The same moment on that zone's clock."""
    return at.astimezone(ZoneInfo(zone()))
