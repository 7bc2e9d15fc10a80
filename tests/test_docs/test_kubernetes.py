"""The manifests of docs/kubernetes say what the list of processes says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from etlfabric_dagster.config import Settings
from etlfabric_dagster.embedded.processes import SANDBOX, Process, own_processes
from tests.test_embedded.test_compose import spoken

FOLDER = Path(__file__).parents[2] / "docs" / "kubernetes"
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return [one for path in FOLDER.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())]


@pytest.fixture(scope="module")
def listed() -> dict[str, Process]:
    """A worker keeps its own sandbox server: a pod of one would be on another host."""
    return {one.name: one for one in own_processes() if one.name != SANDBOX}


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def test_each_process_has_a_manifest_with_its_command(
    manifests: list[Manifest], listed: dict[str, Process]
) -> None:
    pods = of_kind(manifests, "Deployment", "Job")
    said = {name: pod(one)["containers"][0]["command"] for name, one in pods.items()}
    assert said == {name: spoken(one.command) for name, one in listed.items()}


def test_steps_are_jobs_and_servers_are_deployments(
    manifests: list[Manifest], listed: dict[str, Process]
) -> None:
    assert set(of_kind(manifests, "Job")) == {one.name for one in listed.values() if one.once}


def test_what_people_open_has_a_service_on_its_port(
    manifests: list[Manifest], listed: dict[str, Process]
) -> None:
    services = of_kind(manifests, "Service")
    ports = {name: one["spec"]["ports"][0]["port"] for name, one in services.items()}
    opened = {name: one for name, one in listed.items() if one.url}
    assert ports == {name: next(iter(one.ports.values())) for name, one in opened.items()}


def test_every_variable_is_a_setting(manifests: list[Manifest]) -> None:
    given = [*of_kind(manifests, "ConfigMap").values(), *of_kind(manifests, "Secret").values()]
    names = {name for one in given for name in {**one.get("data", {}), **one.get("stringData", {})}}
    known = {f"ETLFABRIC_{name.upper()}" for name in Settings.model_fields}
    assert names
    assert names <= known
    assert {"ETLFABRIC_FERNET_KEYS", "ETLFABRIC_STORAGE_URL"} <= names


def test_a_worker_may_drain_before_it_is_killed(manifests: list[Manifest]) -> None:
    config = of_kind(manifests, "ConfigMap")["etlfabric"]["data"]
    for name in ("worker", "interactive"):
        patience = pod(of_kind(manifests, "Deployment")[name])["terminationGracePeriodSeconds"]
        assert patience > float(config["ETLFABRIC_DRAIN_S"])
