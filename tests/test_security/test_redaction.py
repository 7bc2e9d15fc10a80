"""Nothing that looks or is known as a secret passes."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etlfabric_dagster.security.redaction import MASK, Redactor, redact

SECRET = "p@ss/w0rd+ü"


@pytest.mark.parametrize(
    "form", [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()]
)
def test_known_secret_is_masked_in_every_form(form):
    assert form not in Redactor([SECRET])(f"before {form} after")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://reader:hunter22@db/x",
        "redis://:hunter22@127.0.0.1:6379/0",
        "password=hunter22",
        '{"password": "hunter22"}',
        "api_key: hunter22",
        "https://x.example/?token=hunter22&page=2",
        "Authorization: Bearer hunter22",
    ],
)
def test_unknown_secret_in_a_usual_place_is_masked(text):
    assert "hunter22" not in redact(text)
    assert MASK in redact(text)


@pytest.mark.parametrize(
    "text",
    ["Loaded 20,557 rows of orders.", "https://x.example/?page=2", "10:42:07 token expired"],
)
def test_ordinary_text_is_left_alone(text):
    assert redact(text) == text


@given(st.text(min_size=4, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_known_secret_never_passes(secret, before, after):
    shown = Redactor([secret])(before + secret + after)
    assert secret not in shown or secret in before + MASK + after


def test_containers_are_masked_inside():
    masked = Redactor([SECRET]).value({"a": [SECRET, {"b": SECRET}], "n": 1})
    assert masked == {"a": [MASK, {"b": MASK}], "n": 1}
