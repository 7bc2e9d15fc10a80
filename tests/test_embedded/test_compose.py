"""docker-compose.yml and the list of processes say the same."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import foreground
from etlfabric_dagster.embedded.home import DATABASE, Home, Install
from etlfabric_dagster.embedded.processes import Process, own_processes, processes

ROOT = Path(__file__).parents[2]
SERVICE_NAMES = {"valkey": "redis"}  # compose runs Redis 7 in its place
SOCKET = "/srv/etlfabric/run/sandbox.sock"


def service_name(process: str) -> str:
    return SERVICE_NAMES.get(process, process)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Process]:
    home = Home(tmp_path_factory.mktemp("compose"))
    install: Install = home.prepare()
    assert install.database_url.endswith(f"/{DATABASE}")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ETLFABRIC_DATABASE_URL", raising=False)
        patch.delenv("ETLFABRIC_REDIS_URL", raising=False)
        return {service_name(one.name): one for one in processes(home, install)}


def test_both_name_the_same_processes(services: dict[str, Any], listed: dict[str, Process]) -> None:
    assert set(services) == set(listed)


def test_our_processes_have_the_same_command(
    services: dict[str, Any], listed: dict[str, Process]
) -> None:
    ours = {one.name for one in own_processes()}
    expected = {name: spoken(listed[name].command) for name in ours}
    assert {n: services[n]["command"] for n in ours} == expected


def spoken(command: Sequence[str]) -> list[str]:
    """As one writes it: `etlfabric …`, or a module under the image's interpreter."""
    same = {sys.executable: "python", str(settings.sandbox_path): SOCKET}
    parts = [same.get(part, part) for part in command]
    own = parts[:3] == ["python", "-m", foreground.CLI]
    return ["etlfabric", *parts[3:]] if own else parts


def test_a_worker_has_time_to_hand_its_runs_over(
    services: dict[str, Any], listed: dict[str, Process]
) -> None:
    for name in ("worker", "interactive"):
        assert services[name]["stop_grace_period"] == f"{listed[name].grace_s:.0f}s"
        assert listed[name].grace_s > settings.drain_s


def test_both_start_in_the_same_order(services: dict[str, Any], listed: dict[str, Process]) -> None:
    def condition(name: str) -> str:
        return "service_completed_successfully" if listed[name].once else "service_healthy"

    expected = {
        name: {service_name(n): {"condition": condition(service_name(n))} for n in one.needs}
        for name, one in listed.items()
    }
    assert {name: service.get("depends_on", {}) for name, service in services.items()} == expected


def test_steps_are_not_restarted_and_servers_are(
    services: dict[str, Any], listed: dict[str, Process]
) -> None:
    expected = {name: "no" if one.once else "unless-stopped" for name, one in listed.items()}
    assert {name: service["restart"] for name, service in services.items()} == expected


def test_what_people_open_is_published_on_loopback_only(
    services: dict[str, Any], listed: dict[str, Process]
) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for name, one in listed.items():
        for number in one.ports.values() if one.url else ():
            assert f"127.0.0.1:{number}:{number}" in services[name]["ports"]


def test_sandbox_is_given_no_setting(services: dict[str, Any]) -> None:
    assert services["sandbox"]["environment"] == {}


def test_every_server_has_a_health_check(
    services: dict[str, Any], listed: dict[str, Process]
) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {name for name, one in listed.items() if one.once}
