"""What a column policy does to one value. Pure."""

from __future__ import annotations

import hmac

from etlfabric_dagster.schemas.streams import ColumnPolicy

MASKED = "***"


def hash_text(key: str, text: str) -> str:
    """HMAC-SHA256 in hex. The same text gives the same hash in every stream of an org."""
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()


def apply_policy(policy: ColumnPolicy, text: str | None, key: str) -> str | None:
    """The value under `policy`; NULL stays NULL. Dropped columns never get here."""
    if text is None or policy is ColumnPolicy.KEEP:
        return text
    return hash_text(key, text) if policy is ColumnPolicy.HASH else MASKED
