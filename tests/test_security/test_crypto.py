"""Secrets at rest: whose they are is inside, keys rotate, nothing shows."""

from __future__ import annotations

from uuid import uuid4

import pytest

from etlfabric_dagster.errors import CryptoError
from etlfabric_dagster.security.crypto import Vault, generate_key

OLD, NEW = generate_key(), generate_key()
ORG, OWNER = uuid4(), uuid4()


def test_sealed_secrets_open_for_their_owner_only():
    vault = Vault([NEW])
    sealed = vault.seal(ORG, OWNER, {"password": "s3cret"})
    assert b"s3cret" not in sealed
    assert vault.open(ORG, OWNER, sealed) == {"password": "s3cret"}
    for org, owner in ((ORG, uuid4()), (uuid4(), OWNER)):
        with pytest.raises(CryptoError) as refused:
            vault.open(org, owner, sealed)
        assert refused.value.code == "crypto_swapped"


def test_old_key_still_opens_and_rotation_makes_it_dispensable():
    sealed = Vault([OLD]).seal(ORG, OWNER, {"a": "b"})
    ring = Vault([NEW, OLD])
    assert not ring.is_current(sealed)
    rotated = ring.rotate(sealed)
    assert ring.is_current(rotated)
    assert Vault([NEW]).open(ORG, OWNER, rotated) == {"a": "b"}


@pytest.mark.parametrize("damage", [b"", b"x", b"gAAAA", b"\x00" * 200])
def test_damaged_payload_is_refused_with_a_remedy(damage):
    with pytest.raises(CryptoError) as refused:
        Vault([NEW]).open(ORG, OWNER, damage)
    assert "ETLFABRIC_FERNET_KEYS" in refused.value.remedy


def test_wrong_key_is_refused():
    sealed = Vault([OLD]).seal(ORG, OWNER, {})
    with pytest.raises(CryptoError, match="No configured key"):
        Vault([NEW]).open(ORG, OWNER, sealed)


@pytest.mark.parametrize("keys", [[], ["short"], ["é" * 44]])
def test_unusable_key_ring_is_refused_without_showing_it(keys):
    with pytest.raises(CryptoError) as refused:
        Vault(keys)
    assert all(key not in str(refused.value) for key in keys if key)
