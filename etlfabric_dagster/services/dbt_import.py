"""Importing an existing dbt project: where each file goes, and what is left with its reason.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin, ImportReport

FOLDERS = ("macros", "seeds", "snapshots", "tests", "analyses")
STAGING_HINTS = ("staging", "stg", "base")
RESERVED_MACROS = ("generate_schema_name", "generate_database_name")


def plan(
    files: Mapping[str, bytes], known: Sequence[DbtFile]
) -> tuple[dict[str, str], ImportReport]:
    """Path → content to store, and the report. Later files never overwrite earlier ones."""
    taken: dict[str, str] = {}
    changed: list[str] = []
    skipped: list[str] = []
    own = {file.path for file in known if file.origin is DbtOrigin.TENANT}
    for path, raw in sorted(files.items()):
        try:
            target, content = _place(path), raw.decode("utf-8")
            dbt_paths.check(target, content)
        except (InvalidInputError, UnicodeDecodeError) as exc:
            skipped.append(f"{path}: {exc}")
            continue
        if reason := _refusal(content, target, taken):
            skipped.append(f"{path}: {reason}")
            continue
        if target != path:
            changed.append(f"{path}: stored as {target}")
        if target in own:
            changed.append(f"{path}: replaces the file that was there")
        taken[target] = content
    report = ImportReport(imported=tuple(taken), changed=tuple(changed), skipped=tuple(skipped))
    return taken, report


def _place(path: str) -> str:
    """Models go to staging/ or marts/ by their folder or name; the rest keeps its folder."""
    parts = PurePosixPath(path).parts
    if len(parts) > 1 and parts[0] in FOLDERS:
        return path
    if len(parts) > 1 and parts[0] == "models":
        inner = parts[1:]
        name = inner[-1].lower()
        staged = any(part.lower() in STAGING_HINTS for part in inner[:-1])
        folder = "staging" if staged or name.startswith(("stg_", "base_")) else "marts"
        rest = [p for p in inner if p.lower() not in ("staging", "marts")]
        return "/".join([folder, *(rest or inner)])
    raise InvalidInputError(
        "the platform has its own" if len(parts) == 1 else "not a folder of a dbt project", ""
    )


def _refusal(content: str, target: str, taken: Mapping[str, str]) -> str | None:
    if target in taken:
        return f"another file is stored as {target} already"
    for macro in RESERVED_MACROS:
        if f"macro {macro}" in content:
            return f"{macro} is the platform's: schemas are the tenant's own"
    return None
