"""Which columns move whenever their row changes. Only such a cursor misses no update.

A name is all there is to go by, so it must say so as a whole: `updated_at`, `LastModifiedDate` and
`change_date` do, `created_at`, `last_login_at` and `price_changed_at` do not.
"""

from __future__ import annotations

import re

from etlfabric_dagster.schemas.naming import snake_case

_MOVES = re.compile(
    r"(?:(?:row|record|sys|system|db|src|source|last|date|time|gmt|utc|ts)_?)*"
    r"(?:updated?|modified|modification|modify|changed?|mod_?stamp)"
    r"(?:_?(?:at|on|date|time|ts|timestamp|stamp|datetime|dt|utc|gmt|tz))*"
)


def moves_on_update(name: str) -> bool:
    """Whether a moment of this name is that of the row's last change."""
    return _MOVES.fullmatch(snake_case(name)) is not None
