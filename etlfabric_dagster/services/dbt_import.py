"""Importing an existing dbt project: where each file goes, what changes in it, and what is left
with its reason. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_paths, dbt_project, dbt_settings
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin, ImportReport
from etlfabric_dagster.services import dbt_import_project, dbt_import_yaml

FOLDERS = ("macros", "seeds", "snapshots", "tests", "analyses")
STAGING_HINTS = ("staging", "stg", "base")
RESERVED_MACROS = ("generate_schema_name", "generate_database_name")
PACKAGES = ("dbt_date", "dbt_expectations", "codegen", "audit_helper", "elementary")
PACKAGE_FILES = ("packages.yml", "dependencies.yml")

_HOOK = re.compile(r"\b(pre_hook|post_hook)\s*=")
_SCHEMA = re.compile(r"\bschema\s*=\s*['\"](\w+)['\"]")
_REF = re.compile(r"\bref\(\s*(?:['\"]\w+['\"]\s*,\s*)?['\"](\w+)['\"]")
_SOURCE = re.compile(r"\bsource\(\s*['\"]([^'\"]+)['\"]\s*,\s*['\"]([^'\"]+)['\"]\s*\)")
_PACKAGE = re.compile(r"package:\s*['\"]?[\w.-]+/([\w-]+)")
_PROJECT_PARTS = ("on-run-start", "on-run-end", "snapshots", "dispatch")


@dataclass
class ImportPlan:
    """What an import would store, by path, and what to tell about it."""

    taken: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    """Path as stored → path in the project."""

    def drop(self, target: str, reason: str) -> None:
        """Leave a file out, and what refers to it."""
        origin = self.origins[target]
        del self.taken[target]
        self.changed = [line for line in self.changed if not line.startswith(f"{origin}: ")]
        self.skipped.append(f"{origin}: {reason}")
        if dbt_paths.kind(target) not in ("model", "seed", "snapshot"):
            return
        name = dbt_paths.name(target)
        for other, content in list(self.taken.items()):
            if other in self.taken and other.endswith(".sql") and name in _REF.findall(content):
                self.drop(other, f"it refers to {name}, which is left out")

    def report(self) -> ImportReport:
        """As people read it."""
        return ImportReport(
            imported=tuple(self.taken), changed=tuple(self.changed), skipped=tuple(self.skipped)
        )


def plan(
    files: Mapping[str, bytes], known: Sequence[DbtFile], tables: Mapping[str, str] | None = None
) -> ImportPlan:
    """What to store. Later files never overwrite earlier ones.

    Args:
        tables: raw table → its stream's name; sources of the project are mapped to them by name.
    """
    made, packages = ImportPlan(), _packages(files)
    mapping = dbt_import_yaml.SourceMap(tables or {})
    refused: dict[str, str] = {}
    for path, raw in sorted(files.items()):
        if path == "dbt_project.yml":
            _take_settings(made, raw, known)
            continue
        try:
            target = _free_path(_place(path, raw), known)
            dbt_paths.check(target, content := raw.decode("utf-8"))
        except (InvalidInputError, UnicodeDecodeError) as exc:
            made.skipped.append(f"{path}: {exc}")
            continue
        if target in made.taken:
            made.skipped.append(f"{path}: another file is stored as {target} already")
            continue
        made.origins[target] = path
        made.taken[target], notes = _adapt(target, content, mapping, packages)
        if reason := _refusal(content, target, packages):
            refused[target] = reason
        made.changed += [f"{path}: {note}" for note in notes]
        made.changed += _moves(path, target, known)
    _finish(made, mapping, refused)
    return made


def _take_settings(made: ImportPlan, raw: bytes, known: Sequence[DbtFile]) -> None:
    """Variables and settings per folder, as the org's project.yml."""
    text = raw.decode("utf-8", "replace")
    content, left = dbt_import_project.adapt(text, _model_folders)
    parts = [part for part in _PROJECT_PARTS if re.search(rf"^{part}:", text, re.MULTILINE)]
    gone = ", ".join([*parts, *left])
    if content:
        made.origins[dbt_settings.PATH] = "dbt_project.yml"
        made.taken[dbt_settings.PATH] = content
        made.changed += _moves("dbt_project.yml", dbt_settings.PATH, known)
    if gone or not content:
        why = "the rest is the platform's" if content else "the platform has its own"
        made.skipped.append(f"dbt_project.yml: {why}{f'; left out: {gone}' if gone else ''}")


def _finish(
    made: ImportPlan, mapping: dbt_import_yaml.SourceMap, refused: Mapping[str, str]
) -> None:
    """SQL is pointed at the raw tables once every file's sources are known; refusals cascade."""
    for target, content in made.taken.items():
        if target.endswith(".sql"):
            made.taken[target] = _SOURCE.sub(mapping.rewritten, content)
    for target, reason in refused.items():
        if target in made.taken:
            made.drop(target, reason)
    for target, content in list(made.taken.items()):
        if not content.strip():
            del made.taken[target]


def _place(path: str, raw: bytes) -> str:
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
    raise InvalidInputError(_why_not(path, raw), "")


def _model_folders(folders: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Where models of a folder are stored, as `_place` does it; those at the top in both."""
    if not folders:
        return ("staging",), ("marts",)
    target = PurePosixPath(_place("/".join(("models", *folders, "_.sql")), b"")).parts[:-1]
    return (target,)


def _why_not(path: str, raw: bytes) -> str:
    if path in PACKAGE_FILES:
        missing = sorted(_packages({path: raw}))
        here = "the platform brings dbt_utils"
        return f"{here}; not available here: {', '.join(missing)}" if missing else here
    if path == "profiles.yml":
        return "the platform has its own"
    return "not a folder of a dbt project"


def _free_path(target: str, known: Sequence[DbtFile]) -> str:
    """Generated YAML is never replaced: without it the streams' sources would be gone."""
    generated = {file.path for file in known if file.origin is DbtOrigin.GENERATED}
    generated |= {dbt_import_yaml.staging.SOURCES_PATH, dbt_import_yaml.staging.PROPERTIES_PATH}
    path = PurePosixPath(target)
    if target in generated and path.suffix != ".sql":
        return str(path.with_name(f"{path.stem}_import{path.suffix}"))
    return target


def _adapt(
    target: str, content: str, mapping: dbt_import_yaml.SourceMap, packages: Sequence[str]
) -> tuple[str, list[str]]:
    if target.endswith((".yml", ".yaml")):
        return dbt_import_yaml.adapt(content, mapping, packages)
    folder = "staging" if target.startswith("staging/") else "marts"
    wanted = _SCHEMA.findall(content) if target.endswith(".sql") else []
    return content, [
        f"schema {name!r} becomes {'staging' if name in ('staging', 'stg') else 'marts'}"
        for name in wanted
        if name != folder
    ]


def _moves(path: str, target: str, known: Sequence[DbtFile]) -> list[str]:
    own = {file.path for file in known if file.origin is DbtOrigin.TENANT}
    lines = [f"{path}: stored as {target}"] if target != path else []
    return lines + ([f"{path}: replaces the file that was there"] if target in own else [])


def _refusal(content: str, target: str, packages: Sequence[str]) -> str | None:
    for macro in RESERVED_MACROS:
        if f"macro {macro}" in content:
            return f"{macro} is the platform's: schemas are the tenant's own"
    if not target.endswith(".sql"):
        return None
    if hook := _HOOK.search(content):
        return f"{hook[1]}: hooks are not available here"
    for package in packages:
        if re.search(rf"\b{package}\.\w", content):
            return f"it needs the package {package}, and packages are not available here"
    return None


def _packages(files: Mapping[str, bytes]) -> tuple[str, ...]:
    named = [
        name.replace("-", "_")
        for path in PACKAGE_FILES
        for name in _PACKAGE.findall(files.get(path, b"").decode("utf-8", "replace"))
    ]
    known = [] if set(files) <= set(PACKAGE_FILES) else PACKAGES
    return tuple(dict.fromkeys(n for n in (*named, *known) if n not in dbt_project.PACKAGES))
