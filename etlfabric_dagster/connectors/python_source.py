"""The connector `python`: any importable `@dlt.source` or `@dlt.resource`, for operators.

Its code runs in the sandbox with the connection's secrets and the egress policy, like any other
source. A package may register such a source, or a whole `Connector`, in the entry-point group
`etlfabric.connectors`; it is then a connector of its own name.
"""

from __future__ import annotations

from typing import Any

from etlfabric_dagster.connectors.lazy import LazyConnector
from etlfabric_dagster.schemas.connections import ConnectorSpec

_EXTRACT = "etlfabric_dagster.connectors.python_extract"
_ARGUMENTS = {
    "type": "object",
    "description": 'Arguments by name; write {"secret": "name"} for a secret.',
}
_SECRETS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,39}$"},
    "additionalProperties": {"type": "string", "minLength": 1},
}

CONNECTOR = LazyConnector(
    ConnectorSpec(
        name="python",
        title="Python",
        group="Code",
        description="Any importable dlt source. For operators only: its code runs on this install.",
        operators_only=True,
        config_schema={
            "type": "object",
            "properties": {
                "source": {
                    "type": "string",
                    "pattern": r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
                    "description": "Write package.module:function.",
                },
                "arguments": _ARGUMENTS,
            },
            "required": ["source"],
            "additionalProperties": False,
        },
        secrets_schema=_SECRETS,
    ),
    _EXTRACT,
)


def from_source(name: str, path: str, source: Any) -> LazyConnector:
    """The connector of a dlt source that a package registered under `name` as `path`.

    Open to tenants: whoever installs the package vouches for its code.
    """
    text = (source.__doc__ or "").strip().partition("\n")[0]
    spec = ConnectorSpec(
        name=name,
        title=name.replace("_", " ").capitalize(),
        group="Added",
        description=text or path,
        config_schema={
            "type": "object",
            "properties": {"arguments": _ARGUMENTS},
            "additionalProperties": False,
        },
        secrets_schema=_SECRETS,
    )
    return _Added(spec, path)


class _Added(LazyConnector):
    def __init__(self, spec: ConnectorSpec, path: str) -> None:
        super().__init__(spec, _EXTRACT)
        self._path = path

    def _module(self) -> Any:
        return super()._module().Fixed(self._path)
