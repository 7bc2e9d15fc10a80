"""requirements.lock serves images and audits: pinned, hashed, and silent about hosts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def entries() -> list[str]:
    """One text per package, its hashes included."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def test_every_package_is_pinned_and_hashed(entries: list[str]) -> None:
    assert len(entries) > 100
    assert [e for e in entries if "==" not in e or "--hash=sha256:" not in e] == []


def test_no_host_is_named() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert re.findall(r"[a-z+]+://\S+|--(?:extra-)?index-url|--find-links", text) == []


def test_every_direct_dependency_is_locked(entries: list[str]) -> None:
    locked = {e.split("==")[0].split("[")[0].strip().lower() for e in entries}
    project = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block is not None
    names = re.findall(r'^\s*"([A-Za-z0-9._-]+)', block[1], re.MULTILINE)
    assert set(names) - locked == set()
