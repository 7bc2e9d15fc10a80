"""Asset keys and op names: one place decides how a tenant's tables and models are called in
Dagster. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

RAW, STAGING, MARTS = "raw", "staging", "marts"
TRANSFORM_OP = "transform__dbt"  # `__` cannot occur in a pipeline's name, so jobs never collide


def load_op(pipeline: str) -> str:
    """The op that loads a pipeline's streams."""
    return f"load__{pipeline}"


def raw_key(slug: str, table: str) -> dg.AssetKey:
    """A raw table: `[org, "raw", table]`."""
    return dg.AssetKey([slug, RAW, table])


def node_key(slug: str, props: Mapping[str, Any]) -> dg.AssetKey:
    """A dbt source, model, seed or snapshot; its layer is the schema that it is built in."""
    if props["resource_type"] == "source":
        return raw_key(slug, props.get("identifier") or props["name"])
    layer = STAGING if str(props.get("schema", "")).endswith(f"_{STAGING}") else MARTS
    name = props["alias"] if props.get("version") is not None else props["name"]
    return dg.AssetKey([slug, layer, name])
