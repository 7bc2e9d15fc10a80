"""`workspace.yaml` works with Dagster as it is shipped."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path

import yaml

from etlfabric_dagster.config import Settings
from etlfabric_dagster.schemas.orgs import OrgOut

STOCK = "etlfabric_dagster.orchestration.stock"
WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"


async def test_each_published_org_is_a_repository_with_its_jobs(
    published: OrgOut, migrated: Settings
) -> None:
    stock = importlib.import_module(STOCK)  # reads the database when it is imported
    found = stock.repositories()[published.slug]
    assert found.name == published.slug
    assert {"shop", "crm"} <= {job.name for job in found.get_all_jobs()}


async def test_stock_dagster_validates_the_workspace(published: OrgOut, migrated: Settings) -> None:
    environment = {
        **os.environ,
        "ETLFABRIC_HOME": str(migrated.home_dir),
        "DAGSTER_HOME": "",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(WORKSPACE)]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_workspace_names_the_module() -> None:
    (entry,) = yaml.safe_load(WORKSPACE.read_text())["load_from"]
    assert entry["python_module"]["module_name"] == STOCK
