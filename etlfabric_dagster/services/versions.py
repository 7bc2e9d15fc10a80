"""Versions of what people edit in forms: an edit that names the one it was made from never undoes
a newer one. The API says it with ETags (`api/etags`), dbt models keep versions of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from etlfabric_dagster.errors import EditedMeanwhileError
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import OrgScope


def version_of(content: Mapping[str, Any]) -> str:
    """Names what people set, as JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def refuse_lost_update(
    scope: OrgScope, target: str, current: Mapping[str, Any], expected: str | None
) -> None:
    """Raises EditedMeanwhileError, naming who saved, unless it is of the expected version.

    Args:
        target: as the audit log names it: `pipelines/shop`.
        expected: None asks for nothing.
    """
    if expected in (None, version_of(current)):
        return
    name = target.partition("/")[2]
    who = await audit.newest_actor(scope, target) or "Somebody"
    raise EditedMeanwhileError(
        f"{who} saved {name} after you opened it. Yours is not saved yet.",
        "Compare, then save.",
        target=target,
    )
