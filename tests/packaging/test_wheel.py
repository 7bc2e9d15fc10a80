"""The wheel, installed elsewhere from the lock file, runs the stack and carries its data files."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.folders import throwaway
from tests.stacks import Stack, still_running, throwaway_stack, wait_for

ROOT = Path(__file__).parents[2]
DATA_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".mako", ".json", ".typed"}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
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


@pytest.fixture(scope="module")
def program(wheel: Path, folder: Path) -> Path:
    python = folder / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    install = ("uv", "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    run(*install, "--no-deps", wheel, cwd=folder)
    return python.with_name("etlfabric")


@pytest.fixture(scope="module")
def installed(program: Path) -> Iterator[Stack]:
    with throwaway_stack("installed", program) as made:
        yield made


def test_installed_wheel_runs_the_stack_and_after_a_kill_it_has_lost_nothing(
    installed: Stack,
) -> None:
    installed.up("--no-demo")
    found = installed.status()["processes"]
    assert len(found) > 8
    assert [one for one in found if not one["healthy"]] == []
    database = installed.home.platform(installed.home.install()).dsn("etlfabric")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.kept_by_test AS SELECT 1 AS one")
    orphans = installed.alive()
    assert len(orphans) > 8
    installed.kill_supervisor()

    with installed.foreground() as foreground:
        wait_for(lambda: installed.is_ready() or foreground.poll() is not None)
        assert still_running(orphans) == []
        with psycopg.connect(database) as conn:
            assert conn.execute("SELECT one FROM public.kept_by_test").fetchone() == (1,)
        running = installed.alive()
        assert len(running) > 8
        assert installed.run("down").returncode == 0
        assert still_running(running) == []
        assert foreground.wait(30) == 0
