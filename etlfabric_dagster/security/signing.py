"""Signatures of outgoing webhooks: HMAC-SHA256 over `{timestamp}.{body}`. See docs/alerts.md."""

from __future__ import annotations

import hashlib
import hmac
import secrets

SIGNATURE_HEADER = "X-ETLFabric-Signature"
TIMESTAMP_HEADER = "X-ETLFabric-Timestamp"
TOLERANCE_S = 300


def new_secret() -> str:
    """256 random bits."""
    return f"whsec_{secrets.token_urlsafe(32)}"


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of the signature header; `timestamp` is in Unix seconds."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={mac.hexdigest()}"


def verify(
    secret: str,
    timestamp: int,
    body: bytes,
    signature: str,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether `body` was signed with `secret` not long before `now`. Constant time."""
    if abs(now - timestamp) > tolerance_s:
        return False
    return hmac.compare_digest(sign(secret, timestamp, body), signature)
