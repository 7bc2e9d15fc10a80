"""Signed tokens: 30 forgeries, all refused. Each differs from a good one in one thing."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.services import sessions


def key() -> str:
    return settings.jwt_keys[0].get_secret_value()


def encoded(part: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned(alg: str):
    def forge(good, claims):
        return f"{encoded({'alg': alg, 'typ': 'JWT'})}.{encoded(claims)}."

    return forge


def signed(alg="HS256", with_key=None, headers=None, **changes):
    """The same claims with changes; None removes one."""

    def forge(good, claims):
        wanted = {k: v for k, v in (claims | changes).items() if v is not None}
        return jwt.encode(wanted, with_key or key(), algorithm=alg, headers=headers)

    return forge


def now(seconds: float) -> int:
    return int((clock.now() + timedelta(seconds=seconds)).timestamp())


def tampered(good, claims):
    head, _, signature = good.split(".")
    return f"{head}.{encoded(claims | {'sub': str(uuid4())})}.{signature}"


def swapped_signature(good, claims):
    other = jwt.encode(claims | {"jti": str(uuid4())}, key(), algorithm="HS256")
    return ".".join([*good.split(".")[:2], other.split(".")[2]])


FORGERIES = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg NONE": unsigned("NONE"),
    "alg empty": unsigned(""),
    "no signature": lambda good, _: good.rsplit(".", 1)[0] + ".",
    "two parts": lambda good, _: good.rsplit(".", 1)[0],
    "four parts": lambda good, _: f"{good}.x",
    "cut signature": lambda good, _: good[:-2],
    "other payload": tampered,
    "other signature": swapped_signature,
    "other key": signed(with_key="k" * 64),
    "empty key": lambda _, claims: _with_empty_key(claims),
    "HS384": signed("HS384"),
    "HS512": signed("HS512"),
    "key id as path": signed(with_key="k" * 64, headers={"kid": "../../dev/null"}),
    "key of its own": signed(with_key="k" * 64, headers={"jwk": {"kty": "oct", "k": "a2s"}}),
    "key from an address": signed(with_key="k" * 64, headers={"jku": "https://evil.example/k"}),
    "unknown critical header": signed(headers={"crit": ["b64x"], "b64x": False}),
    "no exp": signed(exp=None),
    "no iat": signed(iat=None),
    "no jti": signed(jti=None),
    "no aud": signed(aud=None),
    "no sub": signed(sub=None),
    "no typ": signed(typ=None),
    "expired": lambda good, claims: signed(exp=now(-1))(good, claims),
    "issued tomorrow": lambda good, claims: signed(iat=now(86400))(good, claims),
    "not yet valid": lambda good, claims: signed(nbf=now(3600))(good, claims),
    "audience of Dagster": signed(aud="dagster"),
    "list of audiences": signed(aud=["api", "dagster"]),
    "a cookie's": signed(typ="session"),
    "unknown session": signed(jti=str(uuid4())),
    "session that is no id": signed(jti="1' OR '1'='1"),
    "somebody else's session": signed(sub=str(uuid4())),
}


def _with_empty_key(claims):
    head = encoded({"alg": "HS256", "typ": "JWT"})
    return f"{head}.{encoded(claims)}.{base64.urlsafe_b64encode(b'').decode()}"


@pytest.fixture(scope="module")
async def good(register):
    person = await register()
    return (await sessions.sign_in(person.email, person.password, "api")).access_token


@pytest.mark.filterwarnings("ignore:The HMAC key is")  # a forger does not care
@pytest.mark.parametrize("name", FORGERIES)
async def test_forged_token_is_refused(client, good, name):
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = FORGERIES[name](good, claims)
    assert forged != good
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_good_token_is_taken(client, good):
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {good}"})
    assert answer.status_code == 200


async def test_key_before_the_newest_still_verifies_and_older_ones_do_not(
    client, good, monkeypatch
):
    new = [type(settings.jwt_keys[0])(letter * 64) for letter in "ab"]
    headers = {"Authorization": f"Bearer {good}"}
    old = settings.jwt_keys[0]
    monkeypatch.setattr(settings, "jwt_keys", [new[0], old])
    assert (await client.get("/auth/me", headers=headers)).status_code == 200
    monkeypatch.setattr(settings, "jwt_keys", [*new, old])
    assert (await client.get("/auth/me", headers=headers)).status_code == 401
