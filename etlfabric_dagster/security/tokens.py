"""Tokens: random ones, of which only a digest is stored, and signed ones, which name a session."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

API_PREFIX = "etlf_"  # by which scanners find leaked tokens
REFRESH_PREFIX = "etlr_"
INVITE_PREFIX = "etli_"
RESET_PREFIX = "etlp_"
CODE_PREFIX = "etlc_"
CLAIM_PREFIX = "etlm_"

ALGORITHM = "HS256"
REQUIRED = ("exp", "iat", "jti", "aud", "sub", "typ")
RING = 2
"""How many keys verify: the newest, which signs, and the one before it."""


def new(prefix: str) -> str:
    """256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored; SHA-256 suffices for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def sign(claims: Mapping[str, Any], key: str) -> str:
    """A signed token. All of REQUIRED must be among the claims."""
    return jwt.encode(dict(claims), key, algorithm=ALGORITHM)


def read(token: str, keys: Sequence[str], *, audience: str, typ: str) -> dict[str, Any] | None:
    """The claims of a token that one of the first two keys signed, else None.

    The algorithm is ours, whatever the header says; every claim of REQUIRED must be there.
    """
    for key in keys[:RING]:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=audience,
                options={"require": list(REQUIRED), "strict_aud": True},
            )
        except (jwt.InvalidTokenError, ValueError, TypeError):
            continue
        if claims["typ"] == typ:
            return claims
    return None
