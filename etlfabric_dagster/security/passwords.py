"""Passwords: argon2id, the same work whether or not there is anything to compare with."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH, MAX_LENGTH = 12, 256

_hasher = PasswordHasher()
_threads = ThreadPoolExecutor(2, "etlfabric-argon2")  # each holds 64 MiB while it works


async def hashed(password: str) -> str:
    """What is stored. Takes some 50 ms of another thread."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether it is the one that was stored; never when nothing was."""
    found = await asyncio.get_running_loop().run_in_executor(
        _threads, _verify, stored or _nobody(), password[: MAX_LENGTH + 1]
    )
    return found and stored is not None


def fault(password: str, *people: str) -> str | None:
    """What is wrong with a new password; `people` are names and addresses it may not be."""
    if len(password) < MIN_LENGTH:
        return f"The password has {len(password)} characters; at least {MIN_LENGTH} are needed."
    if len(password) > MAX_LENGTH:
        return f"The password has more than {MAX_LENGTH} characters."
    if len(set(password)) < 4 or password.casefold() in {one.casefold() for one in people}:
        return "The password is too easy to guess."
    return None


@cache  # not at import: every command would pay for it
def _nobody() -> str:
    return _hasher.hash("the same work for unknown people")


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
