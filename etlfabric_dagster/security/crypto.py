"""Encryption at rest: MultiFernet over a payload that names its org and connection.

A token moved to another row is refused, because the payload inside says whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from etlfabric_dagster.errors import CryptoError


def generate_key() -> str:
    """A new Fernet key, URL-safe base64."""
    return Fernet.generate_key().decode()


class Vault:
    """Seals and opens secrets with a key ring, newest key first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise CryptoError(
                "No encryption key is configured.",
                "Run `etlfabric up` once, or set ETLFABRIC_FERNET_KEYS.",
            )
        try:
            self._ring = MultiFernet([Fernet(key) for key in keys])
            self._newest = Fernet(keys[0])
        except ValueError as exc:
            raise CryptoError(
                "An encryption key in ETLFABRIC_FERNET_KEYS is not a Fernet key.",
                "Give 32 bytes as URL-safe base64, newest first, separated by commas.",
            ) from exc

    def seal(self, org_id: UUID, owner_id: UUID, secrets: Mapping[str, str]) -> bytes:
        """Encrypt secrets for one object (connection) of one org."""
        payload = {"org": org_id.hex, "owner": owner_id.hex, "secrets": dict(secrets)}
        return self._newest.encrypt(json.dumps(payload).encode())

    def open(self, org_id: UUID, owner_id: UUID, sealed: bytes) -> dict[str, str]:
        """Decrypt. Raises CryptoError when no key fits or the payload is another object's."""
        payload = self._payload(sealed)
        if (payload["org"], payload["owner"]) != (org_id.hex, owner_id.hex):
            raise CryptoError(
                "Stored credentials belong to another connection.",
                "Enter the credentials again and look for who changed the row.",
                code="crypto_swapped",
            )
        return payload["secrets"]

    def rotate(self, sealed: bytes) -> bytes:
        """The same payload under the newest key. Safe to repeat."""
        try:
            return self._ring.rotate(sealed)
        except InvalidToken as exc:
            raise _no_key_fits() from exc

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def _payload(self, sealed: bytes) -> dict[str, dict[str, str]]:
        try:
            return json.loads(self._ring.decrypt(sealed))
        except InvalidToken as exc:
            raise _no_key_fits() from exc


def _no_key_fits() -> CryptoError:
    return CryptoError(
        "No configured key opens the stored credentials.",
        "Add the key they were sealed with to ETLFABRIC_FERNET_KEYS (after the newest).",
        code="crypto_key",
    )
