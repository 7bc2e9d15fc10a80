"""The wheel, installed elsewhere from the lock file, runs the stack and carries its data files."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from etlfabric_dagster.embedded import ports
from tests.folders import throwaway

ROOT = Path(__file__).parents[2]
DATA_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".mako", ".json", ".typed"}


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with throwaway("wheel") as made:
        yield made


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    run(sys.executable, "-m", "etlfabric_ui.server.build", cwd=ROOT)
    run("uv", "build", "--wheel", "--quiet", "--out-dir", folder / "dist", cwd=ROOT)
    [built] = (folder / "dist").glob("*.whl")
    return built


def test_wheel_carries_every_data_file_of_the_packages(wheel: Path) -> None:
    tracked = run("git", "ls-files", "etlfabric_dagster", "etlfabric_ui", "dbt_projects", cwd=ROOT)
    data = {name for name in tracked.split() if Path(name).suffix in DATA_SUFFIXES}
    data |= {"etlfabric_ui/_static/login.html", "etlfabric_ui/_static/panel.js"}
    assert data - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_installed_wheel_runs_the_stack(wheel: Path, folder: Path) -> None:
    python = folder / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    install = ("uv", "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    run(*install, "--no-deps", wheel, cwd=folder)

    kept = {n: os.environ[n] for n in ("PATH", "HOME", "LANG") if n in os.environ}
    names = (*ports.EMBEDDED, "dagster_port", "ui_port", "api_port")
    chosen = ports.choose(random.randrange(20_000, 30_000), dict.fromkeys(names))
    given = {f"ETLFABRIC_{name.upper()}": str(port) for name, port in chosen.items()}
    env = {**kept, **given, "ETLFABRIC_HOME": str(folder / "home")}
    program = python.with_name("etlfabric")
    try:
        run(program, "up", "--detach", "--no-demo", cwd=folder, env=env)
        found = json.loads(run(program, "status", "--json", cwd=folder, env=env))
        assert [one for one in found["processes"] if not one["healthy"]] == []
        assert len(found["processes"]) > 4
    finally:
        run(program, "down", cwd=folder, env=env)
