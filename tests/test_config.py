"""Settings: where they come from, which wins, and what they never show."""

from __future__ import annotations

import json

import pytest

from etlfabric_dagster.config import INSTALL_FILE, Settings
from etlfabric_dagster.errors import StackError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ETLFABRIC_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_environment_wins_over_dotenv_and_dotenv_over_the_install_file(home, monkeypatch):
    (home / INSTALL_FILE).write_text(json.dumps({"ui_port": 1, "api_port": 1, "workers": 7}))
    (home / ".env").write_text("ETLFABRIC_UI_PORT=2\nETLFABRIC_API_PORT=2\n")
    monkeypatch.setenv("ETLFABRIC_UI_PORT", "3")
    found = Settings()
    assert (found.ui_port, found.api_port, found.workers) == (3, 2, 7)


def test_lists_are_separated_by_commas(home, monkeypatch):
    monkeypatch.setenv("ETLFABRIC_FERNET_KEYS", "new, old")
    monkeypatch.setenv("ETLFABRIC_EGRESS_ALLOW", "10.0.0.0/8,db.local:5432")
    found = Settings()
    assert [key.get_secret_value() for key in found.fernet_keys] == ["new", "old"]
    assert found.egress_allow == ["10.0.0.0/8", "db.local:5432"]


def test_secrets_do_not_show_in_repr(home, monkeypatch):
    monkeypatch.setenv("ETLFABRIC_FERNET_KEYS", "very-secret-key")
    monkeypatch.setenv("ETLFABRIC_DATABASE_URL", "postgresql://u:very-secret-pw@h/d")
    assert "very-secret" not in repr(Settings())


def test_install_that_was_never_started_names_the_remedy(home):
    with pytest.raises(StackError) as refused:
        _ = Settings().database
    assert "etlfabric up" in refused.value.remedy


def test_damaged_install_file_names_itself(home):
    (home / INSTALL_FILE).write_text("{")
    with pytest.raises(StackError, match=INSTALL_FILE):
        Settings()


def test_platform_addresses_are_those_of_the_database_and_the_broker(home, monkeypatch):
    monkeypatch.setenv("ETLFABRIC_DATABASE_URL", "postgresql://u@db.internal:6000/d")
    monkeypatch.setenv("ETLFABRIC_REDIS_URL", "redis://:x@cache.internal:7000/0")
    assert Settings().platform_addresses == ("db.internal:6000", "cache.internal:7000")
