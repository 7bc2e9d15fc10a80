"""The one clock. Tests replace `now`; nothing else reads the wall clock for business facts."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)
