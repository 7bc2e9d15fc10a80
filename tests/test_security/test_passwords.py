"""Passwords as a process of the product stores them; the tests' own are cheaper (`conftest`)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from etlfabric_dagster.security import passwords

STORE = """
import asyncio
from etlfabric_dagster.security import passwords
print(asyncio.run(passwords.hashed("correct horse battery")))
"""


@pytest.fixture
def stored() -> str:
    done = subprocess.run([sys.executable, "-c", STORE], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_a_stored_password_costs_what_rfc_9106_advises(stored: str) -> None:
    assert extract_parameters(stored) == RFC_9106_LOW_MEMORY
    assert PasswordHasher().verify(stored, "correct horse battery")
    assert await passwords.matches(stored, "correct horse battery")
    assert not await passwords.matches(stored, "another horse battery")
    assert not await passwords.matches(None, "correct horse battery")
