"""What a tenant may set for the whole project, in the file `project.yml`: variables, and settings
of models and seeds per folder. Everything else of dbt_project.yml is the platform's. Pure.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.dbt_models import DbtFile

PATH = "project.yml"
SETTINGS: Mapping[str, frozenset[str]] = {
    "models": frozenset({"enabled", "materialized", "schema", "tags"}),
    "seeds": frozenset({"column_types", "delimiter", "enabled", "quote_columns", "schema", "tags"}),
}
MATERIALIZED = ("view", "table", "incremental", "ephemeral")
OWN_VARIABLES = frozenset({"etlfabric_prefix"})
_NAME = re.compile(r"[A-Za-z_]\w*")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_JINJA = re.compile(r"\{[{%#]")


@dataclass(frozen=True)
class ProjectSettings:
    """Variables, and a tree of folders per kind whose `+keys` are settings."""

    variables: dict[str, Any] = field(default_factory=dict)
    trees: dict[str, dict[str, Any]] = field(default_factory=dict)


def of(files: Iterable[DbtFile]) -> ProjectSettings:
    """The project's; empty without the file. Raises InvalidInputError."""
    return next((read(file.content) for file in files if file.path == PATH), ProjectSettings())


def read(content: str) -> ProjectSettings:
    """Raises InvalidInputError naming the place that is not allowed."""
    try:
        tree = yaml.safe_load(content) or {}
    except yaml.YAMLError as exc:
        raise _refused(PATH, f"is not YAML: {str(exc).splitlines()[0]}") from exc
    if not isinstance(tree, dict) or not tree.keys() <= {"vars", *SETTINGS}:
        raise _refused(PATH, f"has other parts than vars, {', '.join(SETTINGS)}")
    variables = tree.get("vars") or {}
    _check_variables(variables)
    trees = {kind: tree[kind] for kind in SETTINGS if tree.get(kind)}
    for kind, folders in trees.items():
        _check_tree(folders, SETTINGS[kind], kind)
    return ProjectSettings(variables, trees)


def apply(base: Mapping[str, Any], settings: ProjectSettings) -> dict[str, Any]:
    """The platform's dbt_project.yml with the tenant's settings in it."""
    made = copy.deepcopy(dict(base))
    if settings.variables:
        made["vars"] = settings.variables
    for kind, folders in settings.trees.items():
        _merge(made.setdefault(kind, {}).setdefault(made["name"], {}), folders)
    return made


def is_allowed(kind: str, name: str, value: Any) -> bool:
    """Whether a setting may be given, with this value."""
    plain = not _JINJA.search(str(value))
    fits = name != "materialized" or value in MATERIALIZED
    return name in SETTINGS[kind] and plain and fits


def _check_variables(variables: Any) -> None:
    if not isinstance(variables, dict):
        raise _refused("vars", "is not a mapping of names to values")
    for name, value in variables.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in OWN_VARIABLES:
            raise _refused(f"vars.{name}", "is not a name that a project may give")
        if _JINJA.search(str(value)):
            raise _refused(f"vars.{name}", "holds Jinja; give a plain value")


def _check_tree(tree: Any, allowed: frozenset[str], place: str) -> None:
    kind = place.partition(".")[0]
    if not isinstance(tree, dict):
        raise _refused(place, "is not a folder with settings in it")
    for key, value in tree.items():
        name = str(key)
        if not name.startswith("+"):
            if not _FOLDER.fullmatch(name):
                raise _refused(f"{place}.{name}", "is no folder's name")
            _check_tree(value, allowed, f"{place}.{name}")
        elif not is_allowed(kind, name[1:], value):
            known = ", ".join(f"+{each}" for each in sorted(allowed))
            raise _refused(f"{place}.{name}", f"cannot be set to {value!r}; there are {known}")


def _merge(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for key, value in tree.items():
        if key.startswith("+"):
            into[key] = value
        else:
            _merge(into.setdefault(key, {}), value)


def _refused(place: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{PATH}: {place} {why}." if place != PATH else f"{PATH} {why}.",
        "Write for example: {vars: {country: DE}, models: {marts: {+materialized: table}}}",
        field="content",
        path=PATH,
    )
