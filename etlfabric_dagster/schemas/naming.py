"""Names of raw tables and columns: what dlt's snake_case makes of a source's names.

Own code, so that asking costs no import of dlt; a test compares it with dlt's.
"""

from __future__ import annotations

import hashlib
import re

MAX_IDENTIFIER = 63  # PostgreSQL

_NOT_ALPHANUMERIC = re.compile(r"[^a-zA-Z\d_]+")
_CAMEL = re.compile(r"([^_])([A-Z][a-z]+)")
_CAMEL_END = re.compile(r"([a-z0-9])([A-Z])")
_UNDERSCORES = re.compile(r"__+")
_REPLACED = str.maketrans("+-*@|", "x_xal")


def snake_case(name: str) -> str:
    """`Order Items` → `order_items`, `userName` → `user_name`. At most 63 characters."""
    name = name.strip().translate(_REPLACED)
    name = _NOT_ALPHANUMERIC.sub("_", name)
    if name[:1].isdigit():
        name = f"_{name}"
    name = _CAMEL_END.sub(r"\1_\2", _CAMEL.sub(r"\1_\2", name)).lower()
    trailing = len(name) - len(name.rstrip("_"))
    return shortened(_UNDERSCORES.sub("_", name.rstrip("_")) + "x" * trailing)


def shortened(name: str) -> str:
    """The name cut to 63 characters, with a digest where it was cut so that it stays unique."""
    if len(name) <= MAX_IDENTIFIER:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: MAX_IDENTIFIER - 11]}_{digest}"
