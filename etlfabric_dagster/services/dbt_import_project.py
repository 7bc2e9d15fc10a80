"""The dbt_project.yml of an imported project: its variables and settings per folder. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_settings

Folders = tuple[str, ...]
Place = Callable[[Folders], tuple[Folders, ...]]


def adapt(content: str, model_folders: Place) -> tuple[str, list[str]]:
    """The org's project.yml, empty when there is nothing to take, and what was left out.

    Args:
        model_folders: where models of a folder of the project are stored.
    """
    try:
        project = yaml.safe_load(content)
    except yaml.YAMLError:
        return "", []
    if not isinstance(project, dict):
        return "", []
    name, left = str(project.get("name", "")), list[str]()
    made: dict[str, Any] = {"vars": _variables(project.get("vars"), name, left)}
    places: dict[str, Place] = {"models": model_folders, "seeds": lambda folders: (folders,)}
    for kind, place in places.items():
        made[kind] = _tree(kind, _own(project.get(kind), name), place, left)
    return _checked({part: tree for part, tree in made.items() if tree}, left)


def _checked(made: dict[str, Any], left: list[str]) -> tuple[str, list[str]]:
    text = yaml.safe_dump(made, sort_keys=False, allow_unicode=True) if made else ""
    try:
        dbt_settings.read(text)
    except InvalidInputError as exc:
        return "", [*left, exc.message]
    return text, left


def _own(tree: Any, name: str) -> Mapping[str, Any]:
    """Settings of the project itself; those of its packages are not taken."""
    tree = tree if isinstance(tree, dict) else {}
    own = tree.get(name)
    above = {key: value for key, value in tree.items() if str(key).startswith("+")}
    return above | (own if isinstance(own, dict) else {})


def _variables(given: Any, name: str, left: list[str]) -> dict[str, Any]:
    given = dict(given) if isinstance(given, dict) else {}
    scoped = given.pop(name, None)
    found = given | (scoped if isinstance(scoped, dict) else {})
    taken = {}
    for key, value in found.items():
        try:
            dbt_settings.read(yaml.safe_dump({"vars": {key: value}}))
            taken[key] = value
        except InvalidInputError:
            left.append(f"variable {key}")
    return taken


def _tree(kind: str, tree: Mapping[str, Any], place: Place, left: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for folders, name, value in _settings(kind, tree, ()):
        if not dbt_settings.is_allowed(kind, name, value):
            left.append(f"{'.'.join((kind, *folders))} {name}")
            continue
        for target in place(folders):
            node = made
            for folder in target:
                node = node.setdefault(folder, {})
            node[f"+{name}"] = value
    return made


def _settings(
    kind: str, tree: Mapping[str, Any], above: Folders
) -> Iterator[tuple[Folders, str, Any]]:
    """(folders, setting, value), outer folders first; a setting may be written without its `+`."""
    inner = []
    for key, value in tree.items():
        name = str(key)
        if name.startswith("+") or not isinstance(value, dict):
            yield above, name.removeprefix("+"), value
        else:
            inner.append((name, value))
    for name, value in inner:
        yield from _settings(kind, value, (*above, name))
