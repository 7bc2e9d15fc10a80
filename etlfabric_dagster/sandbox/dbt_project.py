"""Renders a tenant's dbt project into a job's work directory: the platform's base, the tenant's
files, and a profile without a password.
"""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import yaml

from etlfabric_dagster.errors import TransformError
from etlfabric_dagster.sandbox import dbt_paths, dbt_settings
from etlfabric_dagster.schemas.jobs import DbtProject, Warehouse

PASSWORD_STAND_IN = "known-to-the-driver-only"  # noqa: S105 - see dbt_guard.hide_password
PACKAGES = ("dbt_utils",)
"""In dbt_projects/packages."""
THREADS = 1  # two threads gave a cache inconsistency in 46 builds without a populated cache


def render(project: DbtProject, warehouse: Warehouse, workdir: Path) -> Path:
    """Write the project and return its folder. Raises TransformError for a path out of bounds."""
    root = workdir / "dbt"
    with as_file(files("dbt_projects")) as ours:
        shutil.copytree(ours / "base" / "macros", root / "platform")
        for package in packages_of(project):
            shutil.copytree(ours / "packages" / package, root / "dbt_packages" / package)
        base = yaml.safe_load((ours / "base" / "dbt_project.yml").read_text())
    settings = dbt_settings.apply(base, dbt_settings.of(project.files))
    (root / "dbt_project.yml").write_text(json.dumps(settings))
    (root / "profiles.yml").write_text(json.dumps(_profile(warehouse)))
    for file in project.files:
        if file.path == dbt_settings.PATH:
            continue
        target = root / dbt_paths.on_disk(dbt_paths.check(file.path, file.content))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.content, encoding="utf-8")
    _refuse_names_that_differ_in_case(project)
    return root


def packages_of(project: DbtProject) -> list[str]:
    """Those that the project's files name: each costs parsing."""
    return [name for name in PACKAGES if any(name in file.content for file in project.files)]


def variables(warehouse: Warehouse) -> dict[str, str]:
    """The `--vars` of every invocation: what the platform's macros and generated sources read."""
    return {"etlfabric_prefix": warehouse.schema_prefix}


def _profile(warehouse: Warehouse) -> dict[str, object]:
    target = {
        "type": "postgres",
        "host": warehouse.host,
        "port": warehouse.port,
        "user": warehouse.username,
        "password": PASSWORD_STAND_IN,
        "dbname": warehouse.database,
        "schema": warehouse.marts,
        "threads": THREADS,
        "connect_timeout": 10,
        "application_name": "etlfabric-dbt",
    }
    return {"tenant": {"target": "warehouse", "outputs": {"warehouse": target}}}


def _refuse_names_that_differ_in_case(project: DbtProject) -> None:
    """`Orders.sql` and `orders.sql` would be two models of one table name to people."""
    seen: dict[str, str] = {}
    for file in project.files:
        if dbt_paths.kind(file.path) not in ("model", "seed", "snapshot"):
            continue
        name = dbt_paths.name(file.path)
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise TransformError(
                f"{file.path}: model {name!r} and model {other!r} differ only in case.",
                f"Rename {file.path}.",
                path=file.path,
            )
