"""dbt tests added by a form: written into the YAML file that describes the model."""

from __future__ import annotations

from typing import Any

import yaml

from etlfabric_dagster.errors import ConflictError, InvalidInputError
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtModelOut, DbtOrigin
from etlfabric_dagster.services import dbt_models, dbt_store
from etlfabric_dagster.services.scope import Actor, org_scope

KINDS = ("not_null", "unique", "accepted_values", "relationships")


async def add(
    actor: Actor,
    slug: str,
    path: str,
    column: str,
    kind: str,
    *,
    values: tuple[str, ...] = (),
    to: str = "",
    field: str = "",
) -> DbtModelOut:
    """Add a test of one column and store the file; returns that file.

    Args:
        values: for `accepted_values`.
        to: for `relationships`: the other model, whose column is `field`.

    Raises InvalidInputError, ConflictError for a file that a form must not rewrite, and
    TransformError when the project does not parse with it.
    """
    test = _test(kind, values, to, field)
    if not column:
        raise InvalidInputError("A test needs a column.", "Choose a column.", field="column")
    async with org_scope(actor, slug) as scope:
        scope.require("dbt_models.put")
        files = await dbt_store.files_of(scope)
    name = dbt_paths.name(path)
    target, described = _file_of(path, name, files)
    _describe(described, name, column, test)
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    return await dbt_models.put(actor, slug, target, text)


def _test(kind: str, values: tuple[str, ...], to: str, field: str) -> str | dict[str, Any]:
    if kind == "accepted_values":
        if not values:
            raise InvalidInputError(
                "accepted_values needs the values.", "Write them, parted by commas.", field="values"
            )
        return {kind: {"arguments": {"values": list(values)}}}
    if kind == "relationships":
        if not (to and field):
            raise InvalidInputError(
                "relationships needs the other dbt model and its column.",
                "Name both.",
                field="to",
            )
        return {kind: {"arguments": {"to": f"ref('{to}')", "field": field}}}
    if kind not in KINDS:
        raise InvalidInputError(
            f"There is no test {kind[:40]}.", f"Choose among: {', '.join(KINDS)}.", field="kind"
        )
    return kind


def _file_of(path: str, name: str, files: dict[str, DbtFile]) -> tuple[str, dict[str, Any]]:
    """The file that describes the model, or a new one beside it, with what it says."""
    for file in files.values():
        if not file.path.endswith((".yml", ".yaml")):
            continue
        content = _read(file)
        if any(one.get("name") == name for one in content.get("models") or ()):
            _refuse_foreign(file)
            return file.path, content
    beside = f"{path.removesuffix('.sql')}.yml"
    if beside in files:
        _refuse_foreign(files[beside])
        return beside, _read(files[beside])
    return beside, {"version": 2}


def _read(file: DbtFile) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.content)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _refuse_foreign(file: DbtFile) -> None:
    """A form keeps neither comments nor what the platform writes anew."""
    if file.origin is DbtOrigin.GENERATED:
        raise ConflictError(
            f"{file.path} is generated and written anew with its stream.",
            "Copy the dbt model to edit it, then add tests.",
            path=file.path,
        )
    if any(line.lstrip().startswith("#") or " #" in line for line in file.content.splitlines()):
        raise ConflictError(
            f"{file.path} holds comments, which a form would lose.",
            f"Add the test there by hand: open {file.path}.",
            path=file.path,
        )


def _describe(
    described: dict[str, Any], name: str, column: str, test: str | dict[str, Any]
) -> None:
    models = described.setdefault("models", [])
    model = _named(models, name)
    one = _named(model.setdefault("columns", []), column)
    key = "tests" if "tests" in one else "data_tests"
    tests = one.setdefault(key, [])
    if test not in tests:
        tests.append(test)


def _named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for item in items:
        if item.get("name") == name:
            return item
    items.append({"name": name})
    return items[-1]
