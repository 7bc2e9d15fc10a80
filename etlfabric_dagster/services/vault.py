"""The install's vault: the only reader of the Fernet keys in settings."""

from __future__ import annotations

from etlfabric_dagster.config import settings
from etlfabric_dagster.security.crypto import Vault


def vault() -> Vault:
    """Seals and opens with the configured key ring. Raises CryptoError without a usable key."""
    return Vault([key.get_secret_value() for key in settings.fernet_keys])
