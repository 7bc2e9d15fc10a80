"""SCRAM-SHA-256 verifiers (RFC 5803), so that a password never travels to Postgres in clear."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

ITERATIONS = 4096  # PostgreSQL's default, and the least that some BI tools accept
RANDOM_ITERATIONS = 1
"""For `new_password`: iterations make guessing dear, and nobody guesses 192 random bits. Saves each
attempt 5 ms of processor time, measured 2026-11.
"""


def verifier(password: str, iterations: int = ITERATIONS) -> str:
    """What `ALTER ROLE … PASSWORD` stores for this password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    return f"SCRAM-SHA-256${iterations}:{_b64(salt)}${_b64(stored_key)}:{_b64(server_key)}"


def new_password() -> str:
    """192 random bits, URL-safe: it goes into connection URLs."""
    return secrets.token_urlsafe(24)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
