"""ETL Fabric: data pipelines for many organisations from one install.

Importing this package imports no Dagster, no dlt and no dbt; `Fabric` is loaded when it is first
named, so that the sandbox, which must never see settings, can live in the same package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from etlfabric_dagster.errors import (
    ConflictError,
    ConnectorError,
    CryptoError,
    EgressDeniedError,
    FabricError,
    InvalidInputError,
    LoadError,
    MigrationError,
    NotFoundError,
    OrgSuspendedError,
    PermissionDeniedError,
    QuotaError,
    SandboxError,
    StackError,
    TransformError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from etlfabric_dagster.fabric import Fabric

    __version__: str

__all__ = [
    "ConflictError",
    "ConnectorError",
    "CryptoError",
    "EgressDeniedError",
    "Fabric",
    "FabricError",
    "InvalidInputError",
    "LoadError",
    "MigrationError",
    "NotFoundError",
    "OrgSuspendedError",
    "PermissionDeniedError",
    "QuotaError",
    "SandboxError",
    "StackError",
    "TransformError",
    "UnauthenticatedError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "Fabric":
        return import_module("etlfabric_dagster.fabric").Fabric
    if name == "__version__":
        return import_module("importlib.metadata").version("etlfabric")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
